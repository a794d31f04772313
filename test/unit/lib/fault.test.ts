import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "../../support/temp.ts";

const dir = tempFolder("fault");
const SOURCE = join(import.meta.dir, "../../../src/lib/fault.ts");
const program = join(dir, "program.ts");
writeFileSync(
  program,
  `import { faultPoint } from ${JSON.stringify(SOURCE)};\nfor (const n of ["a", "b", "c"]) { faultPoint(n); console.log("after " + n); }\n`,
);

async function run(env: Record<string, string>, flags: readonly string[]) {
  const child = Bun.spawn([process.execPath, ...flags, program], { env: { ...process.env, ...env }, stdout: "pipe" });
  const output = await new Response(child.stdout).text();
  await child.exited;
  return { output, signal: child.signalCode };
}

test("faultPoint: kills before the point asked for and logs the points reached", async () => {
  const log = join(dir, "points");
  const env = { CLAUDE_MIRROR_FAULT_AT: "2", CLAUDE_MIRROR_FAULT_LOG: log };
  const { output, signal } = await run(env, ["--define", "FAULTS=true"]);
  expect(output).toBe("after a\n");
  expect(signal).toBe("SIGKILL");
  expect(readFileSync(log, "utf8")).toBe("1 a\n2 b\n");
});

test("faultPoint: does nothing in an ordinary build, and its name is not even in a release build", async () => {
  expect((await run({ CLAUDE_MIRROR_FAULT_AT: "1" }, [])).output).toBe("after a\nafter b\nafter c\n");
  const built = await Bun.build({ entrypoints: [program], minify: true, define: { FAULTS: "false" }, target: "bun" });
  expect(await built.outputs[0]?.text()).not.toContain("FAULT");
});
