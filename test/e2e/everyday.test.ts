import { afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { compiledBinary } from "../support/binary.ts";
import { type OwnMachine, ownMachine } from "../support/own-machine.ts";
import { tempFolder } from "../support/temp.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

let binary: string;
let alice: OwnMachine;
let bob: OwnMachine;
const running: Bun.Subprocess[] = [];

beforeAll(async () => {
  binary = await compiledBinary();
  const folder = join(tempFolder("everyday"), "remote");
  mkdirSync(folder);
  const place = { settings: { backend: "local", local_folder: folder }, token: undefined };
  [alice, bob] = await Promise.all([ownMachine("alice", place), ownMachine("bob", place)]);
  alice.write("CLAUDE.md", "one\n");
  alice.write("memory/notes.md", "two\n");
  await ok(alice, "push");
  await ok(bob, "pull");
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});

async function ok(machine: OwnMachine, ...words: string[]) {
  const run = await machine.run(words);
  if (run.code !== 0) throw new Error(`${words.join(" ")} ended with ${run.code}: ${run.stdout}${run.stderr}`);
  return run;
}

/** What a lasting command has said so far. */
function started(machine: OwnMachine, ...words: string[]) {
  const child = Bun.spawn([binary, ...words], {
    cwd: machine.project,
    env: { HOME: machine.home },
    stdout: "pipe",
    stderr: "pipe",
  });
  running.push(child);
  const said = { out: "", err: "" };
  const collect = async (stream: ReadableStream<Uint8Array>, to: "out" | "err") => {
    for await (const chunk of stream) said[to] += new TextDecoder().decode(chunk);
  };
  const ended = Promise.all([collect(child.stdout, "out"), collect(child.stderr, "err")]);
  return {
    said,
    async until(holds: () => boolean) {
      const deadline = Date.now() + 40_000;
      while (!holds()) {
        if (Date.now() > deadline) throw new Error(`it did not happen: ${said.out}${said.err}`);
        await Bun.sleep(5);
      }
    },
    async end(signal: NodeJS.Signals) {
      child.kill(signal);
      const code = await child.exited;
      await ended;
      return code;
    },
  };
}

test("log --follow: shows what is there and what comes, and Ctrl-C ends it with exit code 0", async () => {
  const text = started(bob, "log", "--follow", "--limit", "1");
  const json = started(bob, "log", "-f", "--json", "--interval", "1");
  await Promise.all([text.until(() => text.said.out !== ""), json.until(() => json.said.out !== "")]);
  expect(text.said.out).toMatch(/^\[[-0-9: ]+\] bob@bob pull CLAUDE.md, memory\/notes.md in 'project'\n$/);
  alice.write("new.md", "new\n");
  await ok(alice, "push");
  await Promise.all([
    text.until(() => text.said.out.includes("alice@alice push new.md")),
    json.until(() => json.said.out.includes("new.md")),
  ]);
  expect(await Promise.all([text.end("SIGINT"), json.end("SIGTERM")])).toEqual([0, 0]);
  const lines = json.said.out.trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    ["push", "pull", "push"].map((action) =>
      expect.objectContaining({
        version: 1,
        command: "log",
        result: expect.objectContaining({ action, snapshot_timestamp: null }),
      }),
    ),
  );
  expect([text.said.err, json.said.err]).toEqual(["", ""]);
});

test("status --presence: names who else was active, never oneself", async () => {
  const [text, json] = await Promise.all([ok(bob, "status", "--presence"), ok(bob, "status", "--presence", "--json")]);
  expect(text.stdout).toMatch(/Active in the last 24 hours:\n {4}alice@alice {2}push .*(just now|min ago) {2}new.md/);
  expect((json.json as unknown as { presence: unknown[] }).presence).toEqual([
    {
      user: "alice",
      machine: "alice",
      last_action: "push",
      last_timestamp: expect.any(String),
      recent_files: ["new.md", "CLAUDE.md", "memory/notes.md"],
    },
  ]);
  const plain = await ok(bob, "status", "--json");
  expect(plain.json).not.toHaveProperty("presence");
});

test("prompt: is right after every edit, prints nothing outside of projects, and never fails", async () => {
  const prompt = async (...words: string[]) => {
    const { code, stdout, stderr } = await bob.run(["prompt", ...words]);
    expect([code, stderr]).toEqual([0, ""]);
    return stdout;
  };
  await ok(bob, "pull");
  expect(await prompt()).toBe("✓\n");
  expect(await prompt("--quiet-when-clean")).toBe("");
  bob.write("memory/notes.md", "2 wo\n");
  bob.write("memory/mine.md", "mine\n");
  expect(await prompt("--format=ascii", "--prefix", "(", "--suffix", ")")).toBe("(+2)\n");
  const notice = {
    timestamp: "",
    title: "",
    message: "",
    user: "a",
    machine: "a",
    files: ["x.md", "y.md"],
    project: "project",
    action: "push",
  };
  appendFileSync(join(bob.project, ".claude_mirror_inbox.jsonl"), `${JSON.stringify(notice)}\nno json\n`);
  expect(JSON.parse(await prompt("--format", "json"))).toEqual({
    project: bob.project,
    in_sync: 2,
    local_ahead: 2,
    remote_ahead: 2,
    conflicts: 0,
    no_manifest: false,
    error: null,
  });
  bob.configure({ exclude_patterns: ["memory/**"] });
  expect(await prompt()).toBe("↓2\n");
  bob.configure({ file_patterns: 7 });
  expect(await prompt()).toBe("?\n");
  bob.configure({ file_patterns: ["**/*"], exclude_patterns: [] });
  expect(await bob.run(["prompt"], { cwd: bob.home })).toMatchObject({ code: 0, stdout: "", stderr: "" });
  expect(await bob.run(["prompt", "--format", "nice"])).toMatchObject({ code: 2, stdout: "" });
});

test("prompt: a conflict that a run has left counts as one, not as a change here", async () => {
  alice.write("CLAUDE.md", "alice's\n");
  await ok(alice, "push");
  bob.write("CLAUDE.md", "bob's\n");
  await ok(bob, "inbox");
  expect((await bob.run(["push"])).code).toBe(4);
  expect((await bob.run(["prompt"])).stdout).toBe("✗1\n");
});
