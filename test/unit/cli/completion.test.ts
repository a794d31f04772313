import { describe, expect, test } from "bun:test";
import { command } from "../../../src/cli/command.ts";
import { type CompletionSources, complete } from "../../../src/cli/complete.ts";
import type { CommandEntry } from "../../../src/cli/table.ts";
import { cli } from "../../support/cli.ts";

const restore = command({
  name: "restore",
  summary: "Bring back",
  positionals: [
    { name: "TIMESTAMP", help: "h", completes: "snapshot" },
    { name: "PATHS", help: "h", many: true, optional: true, completes: "file" },
  ],
  options: {
    output: { kind: "text", value: "DIR", help: "Where to", short: "o", completes: "folder" },
    config: { kind: "text", value: "PATH", help: "h", completes: "config" },
    backend: { kind: "text", value: "NAME", help: "h", completes: "backend" },
    format: { kind: "text", value: "F", help: "h", choices: ["blobs", "full"] },
    limit: { kind: "number", value: "N", help: "h" },
    slack: { kind: "flag", help: "h", negatable: true },
    secret: { kind: "flag", help: "h", hidden: true },
  },
  run: async () => ({ result: null }),
});
const commands: Readonly<Record<string, CommandEntry>> = {
  restore: { summary: "Bring back", load: async () => restore },
  reload: { summary: "Again", load: async () => restore },
  __hidden: { summary: "Not shown", hidden: true, load: async () => restore },
};
const sources: CompletionSources = {
  configs: () => ["/c/a.yaml", "/c/b.yaml"],
  profiles: () => ["home", "work"],
  snapshots: async () => ["2026-01-02T00-00-00Z", "2025-01-02T00-00-00Z"],
  backends: ["local", "webdav"],
};

async function offered(...words: string[]): Promise<readonly string[] | string> {
  const answer = await complete({ words, commands, sources });
  return answer.kind === "names" ? answer.names.map(({ value }) => value) : answer.kind;
}

describe("complete", () => {
  test("complete: commands by their beginning, hidden ones never", async () => {
    expect(await offered("re")).toEqual(["restore", "reload"]);
    expect(await offered("")).toEqual(["restore", "reload"]);
    expect(await offered("__")).toEqual([]);
  });

  test("complete: options of the command, hidden ones never", async () => {
    expect(await offered("restore", "--s")).toEqual(["--slack"]);
    expect(await offered("restore", "--no")).toEqual(["--no-slack"]);
    expect(await offered("restore", "--j")).toEqual(["--json"]);
  });

  test("complete: snapshots, then files", async () => {
    expect(await offered("restore", "2026")).toEqual(["2026-01-02T00-00-00Z"]);
    expect(await offered("restore", "2026-01-02T00-00-00Z", "")).toBe("file");
    expect(await offered("restore", "x", "y", "z")).toBe("file");
  });

  test("complete: the value of an option, in every spelling", async () => {
    expect(await offered("restore", "--output", "")).toBe("folder");
    expect(await offered("restore", "-o", "")).toBe("folder");
    expect(await offered("restore", "--config", "/c/b")).toEqual(["/c/b.yaml"]);
    expect(await offered("restore", "--backend", "w")).toEqual(["webdav"]);
    expect(await offered("restore", "--format=b")).toEqual(["blobs"]);
    expect(await offered("restore", "--format", "=", "b")).toEqual(["blobs"]);
    expect(await offered("restore", "--format", "=")).toEqual(["blobs", "full"]);
    expect(await offered("restore", "--limit", "")).toEqual([]);
  });

  test("complete: a config file elsewhere is completed as a file", async () => {
    expect(await offered("restore", "--config", "./my")).toBe("file");
  });

  test("complete: flags take no value, and after -- there are no options", async () => {
    expect(await offered("restore", "--slack", "2025")).toEqual(["2025-01-02T00-00-00Z"]);
    expect(await offered("restore", "x", "--", "--s")).toBe("file");
  });

  test("complete: nonsense offers nothing", async () => {
    expect(await offered("nope", "")).toEqual([]);
    expect(await offered()).toEqual(["restore", "reload"]);
    expect(await offered("restore", "--nope", "2026")).toEqual(["2026-01-02T00-00-00Z"]);
  });
});

describe("__complete", () => {
  test("__complete: one name a line, its description behind a tab", async () => {
    const run = await cli(["__complete", "--", "completion", "z"]);
    expect(run).toEqual({ code: 0, stdout: "zsh\n", stderr: "" });
    expect((await cli(["__complete", "--", "comple"])).stdout).toBe(
      "completion\tPrint the completion script for a shell\n",
    );
  });
});
