import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { buildEntryChunk } from "../scripts/build.ts";
import { breaches, type Sources, staticClosure } from "./support/architecture.ts";
import { codeOnly, importsOf } from "./support/source-scan.ts";

const SRC = join(import.meta.dir, "../src");

function readSources(): Sources {
  const names = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
  return new Map(names.sort().map((name) => [name.replaceAll("\\", "/"), readFileSync(join(SRC, name), "utf8")]));
}

/** The files of a small sound house, with one changed or added. */
function planted(file: string, source: string): readonly string[] {
  const sound: [string, string][] = [
    ["main.ts", 'const run = await import("./cli/run.ts");\nconsole.log(run);\n'],
    ["cli/run.ts", 'import type { Plan } from "../sync/model.ts";\nexport const plan: Plan | undefined = undefined;\n'],
    ["sync/model.ts", "export interface Plan {\n  readonly x: number;\n}\n"],
    ["sync/plan.ts", 'import type { Plan } from "./model.ts";\nexport const empty: Plan = { x: 0 };\n'],
    ["snapshots/model.ts", "export interface Info {\n  readonly y: number;\n}\n"],
    ["backends/types.ts", "export interface Backend {\n  readonly kind: string;\n}\n"],
    ["backends/local/index.ts", "export const local = 1;\n"],
    ["lib/path.ts", "export const root = 1;\n"],
    ["lib/clock.ts", "export const now = () => Date.now();\n"],
  ];
  return breaches(new Map([...sound, [file, source]]));
}

describe("architecture", () => {
  test("architecture: the sources keep every rule of the house", () => {
    expect(breaches(readSources())).toEqual([]);
  });

  test("architecture: opening a OneDrive loads no sign-in library", () => {
    const { packages } = staticClosure("backends/onedrive/index.ts", readSources());
    expect(packages.filter((name) => !name.startsWith("node:"))).toEqual([]);
  });

  test("architecture: the entry starts with two small files and no package", () => {
    const { files, packages } = staticClosure("main.ts", readSources());
    expect(packages.filter((name) => name !== "node:fs")).toEqual([]);
    expect(files.length).toBeLessThanOrEqual(4);
  });

  test("architecture: what starts stays under 8 KB, in four modules and no package", async () => {
    const { bytes, modules } = await buildEntryChunk();
    expect(bytes).toBeLessThan(8 * 1024);
    expect(modules).toContain("src/main.ts");
    expect(modules.length).toBeLessThanOrEqual(4);
    expect(modules.filter((name) => !name.startsWith("src/"))).toEqual([]);
  });
});

describe("breaches", () => {
  test("breaches: a sound house has none", () => {
    expect(planted("lib/path.ts", "export const root = 1;\n")).toEqual([]);
  });

  test.each([
    [
      "an arrow between rooms",
      "sync/plan.ts",
      'import { x } from "../snapshots/model.ts";',
      "must not import snapshots/model.ts",
    ],
    [
      "a type-only arrow",
      "sync/plan.ts",
      'import type { Info } from "../snapshots/model.ts";',
      "must not import snapshots/model.ts",
    ],
    [
      "a type inside import()",
      "sync/plan.ts",
      'type I = import("../snapshots/model.ts").Info;',
      "must not import snapshots/model.ts",
    ],
    ["a lazy arrow", "sync/plan.ts", 'await import("../snapshots/model.ts");', "must not import snapshots/model.ts"],
    [
      "an export from",
      "sync/plan.ts",
      'export { Info } from "../snapshots/model.ts";',
      "must not import snapshots/model.ts",
    ],
    [
      "lib looking up",
      "lib/path.ts",
      'import type { Backend } from "../backends/types.ts";',
      "must not import backends/types.ts",
    ],
    [
      "a backend knowing another",
      "backends/webdav/x.ts",
      'import { local } from "../local/index.ts";',
      "must not import backends/local",
    ],
    [
      "ui knowing more than models",
      "ui/view.ts",
      'import { empty } from "../sync/plan.ts";',
      "must not import sync/plan.ts",
    ],
    ["a package in the wrong folder", "lib/path.ts", 'import { parse } from "yaml";', "must not import yaml"],
    ["a part of a package", "lib/path.ts", 'import { parse } from "yaml/util";', "must not import yaml"],
    ["a foreign package", "lib/path.ts", 'import x from "left-pad";', "left-pad is no package of this house"],
    ["a missing file", "lib/path.ts", 'import { x } from "./gone.ts";', "imports lib/gone.ts, which is not there"],
    ["no file ending", "lib/path.ts", 'import { x } from "./clock";', "imports name the file with .ts"],
    ["a model with a machine", "sync/model.ts", 'import { readFileSync } from "node:fs";', "must not import node:fs"],
    ["console", "lib/path.ts", "console.log(1);", "console is not used here"],
    ["process.exit", "cli/run.ts", "process.exit(1);", "process.exit is not used here"],
    ["process.env", "sync/plan.ts", 'process.env["X"];', "process.env is not used here"],
    ["Date.now", "sync/plan.ts", "Date.now();", "Date.now is not used here"],
    ["new Date()", "sync/plan.ts", "new Date();", "new Date() is not used here"],
    ["Math.random", "lib/path.ts", "Math.random();", "Math.random is not used here"],
    ["a timer", "sync/plan.ts", "setTimeout(() => 1, 5);", "setTimeout is not used here"],
    ["fetch", "sync/plan.ts", 'await fetch("x");', "fetch is not used here"],
    ["a use inside a template", "sync/plan.ts", "const a = `x $" + "{Date.now()} y`;", "Date.now is not used here"],
    ["Bun", "sync/plan.ts", 'Bun.file("x");', "Bun is not used here"],
    ["a default export", "lib/path.ts", "export default 1;", "no export default"],
    ["export *", "lib/path.ts", 'export * from "./clock.ts";', "no export *"],
    ["an enum", "lib/path.ts", "export enum A { B }", "no enum"],
    ["any", "lib/path.ts", "const a: any = 1;", "no any"],
    ["a silenced compiler", "lib/path.ts", "// @ts-ignore\nconst a = 1;", "no @ts-ignore"],
    ["a file too long", "lib/path.ts", "const a = 1;\n".repeat(401), "401 lines, at most 400"],
    ["a folder for anything", "lib/utils/a.ts", "export const a = 1;", "must not be called utils"],
    ["a camelCase name", "lib/someThing.ts", "export const a = 1;", "names are kebab-case"],
    ["a file outside the rooms", "misc/a.ts", "export const a = 1;", "belongs to no room"],
    [
      "a circle",
      "lib/clock.ts",
      'import { root } from "./clock.ts";\nexport const now = root;',
      "a circle of imports: lib/clock.ts",
    ],
  ])("breaches: %s is caught", (_what, file, source, sentence) => {
    expect(planted(file, source).join("\n")).toContain(sentence);
  });

  test("breaches: what comments and strings talk about is no use", () => {
    const source =
      '// Date.now()\n/* fetch("x") */\nexport const a = "Math.random()";\nexport const b = `console.log`;\nexport const c = /Bun.x/;\n';
    expect(planted("lib/path.ts", source)).toEqual([]);
  });

  test("staticClosure: follows run-time imports only", () => {
    const sources = new Map([
      ["main.ts", 'import { a } from "./a.ts";\nimport type { B } from "./b.ts";\nawait import("./c.ts");'],
      ["a.ts", 'import { parse } from "yaml";\nimport { type D } from "./d.ts";'],
    ]);
    expect(staticClosure("main.ts", sources)).toEqual({ files: ["a.ts", "main.ts"], packages: ["yaml"] });
  });

  test("importsOf: reads imports over several lines and ignores commented ones", () => {
    const source = 'import {\n  a,\n  type B,\n} from "./x.ts";\n// import { c } from "./y.ts";\nimport "./z.ts";\n';
    expect(importsOf(source)).toEqual([
      { specifier: "./x.ts", kind: "static" },
      { specifier: "./z.ts", kind: "static" },
    ]);
  });

  test("codeOnly: keeps line numbers", () => {
    const source = ["a", "/* b", "c */", "`d", `$${"{e}"}`, "f`", "g"].join("\n");
    expect(codeOnly(source).split("\n")).toHaveLength(7);
    expect(codeOnly(source)).toContain("e");
    expect(codeOnly(source)).not.toContain("f");
  });
});
