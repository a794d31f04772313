import { beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildBinary } from "../../scripts/build.ts";
import { compiledBinary } from "../support/binary.ts";
import { tempFolder } from "../support/temp.ts";

const home = tempFolder("start");
let binary: string;

beforeAll(async () => {
  binary = await compiledBinary();
});

function run(words: readonly string[], env: Record<string, string> = { HOME: home }) {
  const { status, stdout, stderr } = spawnSync(binary, words, { env, cwd: home, encoding: "utf8" });
  return { status, stdout, stderr };
}

describe("claude-mirror", () => {
  test("claude-mirror: --version needs nothing but the file itself", () => {
    for (const env of [{ HOME: home }, {} as Record<string, string>]) {
      const { status, stdout, stderr } = run(["--version"], env);
      expect(stdout).toMatch(/^claude-mirror \d+\.\d+\.\d+( \([0-9a-f]{7}\))?\n$/);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    }
  });

  test("claude-mirror: alone prints its help, exit 0; nonsense exits 2", () => {
    expect(run([]).stdout).toContain("Commands:");
    expect(run([]).status).toBe(0);
    expect(run(["nonsense"]).status).toBe(2);
    expect(run(["help", "--nonsense"]).status).toBe(2);
  });

  test("claude-mirror: both ways to the version say the same", () => {
    expect(run(["version"]).stdout).toBe(run(["--version"]).stdout);
  });

  test("claude-mirror: a release holds no fault points, the build for crash tests does", async () => {
    const faulty = join(home, "faulty");
    await buildBinary({ outfile: faulty, faults: true });
    expect(readFileSync(faulty).includes("CLAUDE_MIRROR_FAULT_AT")).toBe(true);
    expect(readFileSync(binary).includes("CLAUDE_MIRROR_FAULT_AT")).toBe(false);
  });

  test("claude-mirror: nothing of the machine that built it is in it, so that it needs nothing of that one", () => {
    expect(readFileSync(binary).includes(join(import.meta.dir, "../.."))).toBe(false);
  });

  test("claude-mirror: settings of Bun lying about are not read", () => {
    writeFileSync(join(home, ".env"), "CLAUDE_MIRROR_DEBUG=1\nFORCE_COLOR=1\n");
    writeFileSync(join(home, "bunfig.toml"), 'preload = ["./gone.ts"]\n');
    expect(run(["--version"]).status).toBe(0);
    const { stdout, stderr } = run(["nonsense"]);
    expect(stdout + stderr).not.toContain("\u001b[");
    expect(stderr).not.toContain("    at ");
  });

  test("processEnvironment: output far larger than a pipe arrives whole without waiting for it", () => {
    const module = join(import.meta.dir, "../../src/cli/process.ts");
    const script = `const { processEnvironment } = await import(${JSON.stringify(module)});
processEnvironment({ signal: new AbortController().signal, onOutputError: (error) => { throw error; } }).stdout.write("x".repeat(5_000_000));`;
    const { stdout, status } = spawnSync("bun", ["-e", script], { encoding: "utf8", maxBuffer: 10_000_000 });
    expect({ status, length: stdout.length }).toEqual({ status: 0, length: 5_000_000 });
  });

  test("claude-mirror: a reader that leaves early is no failure", () => {
    const script = `{ "${binary}" help; echo "exit $?" >&2; } | true`;
    expect(spawnSync("sh", ["-c", script], { encoding: "utf8", env: { PATH: "/usr/bin:/bin" } }).stderr).toBe(
      "exit 0\n",
    );
  });
});
