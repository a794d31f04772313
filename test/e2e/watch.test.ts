import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiledBinary } from "../support/binary.ts";
import { type OwnMachine, ownMachine } from "../support/own-machine.ts";
import { REMOTE_KINDS, type RemotePlace } from "../support/remote-place.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

interface Watcher {
  readonly pid: number;
  readonly exited: Promise<number>;
  out(): string;
  err(): string;
  kill(signal: NodeJS.Signals): void;
}

const running: Watcher[] = [];
let binary: string;
beforeAll(async () => {
  binary = await compiledBinary();
});
afterEach(async () => {
  for (const one of running.splice(0)) {
    one.kill("SIGKILL");
    await one.exited;
  }
});

/** A watcher that has looked once. Desktop messages land in `desktop.log` of the machine's home. */
async function watcher(
  machine: OwnMachine,
  words: readonly string[] = ["watch"],
  ready = "Watching",
): Promise<Watcher> {
  const bin = join(machine.home, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "notify-send"), `#!/bin/sh\nprintf '%s\\n' "$@" >> '${machine.home}/desktop.log'\n`);
  chmodSync(join(bin, "notify-send"), 0o755);
  const env = { HOME: machine.home, PATH: `${bin}:/usr/bin:/bin` };
  const child = Bun.spawn([binary, ...words], { cwd: machine.project, env, stdout: "pipe", stderr: "pipe" });
  const said = { out: "", err: "" };
  const collect = async (stream: ReadableStream<Uint8Array>, to: "out" | "err") => {
    for await (const chunk of stream) said[to] += new TextDecoder().decode(chunk);
  };
  void collect(child.stdout, "out");
  void collect(child.stderr, "err");
  const one: Watcher = {
    pid: child.pid,
    exited: child.exited,
    out: () => said.out,
    err: () => said.err,
    kill: (signal) => child.kill(signal),
  };
  running.push(one);
  await until(
    () => said.err.includes(ready),
    () => said.err,
  );
  return one;
}

async function until(holds: () => boolean, explain: () => string, mostMs = 20_000): Promise<number> {
  const start = performance.now();
  while (!holds()) {
    if (performance.now() - start > mostMs) throw new Error(`it did not happen: ${explain()}`);
    await Bun.sleep(5);
  }
  return performance.now() - start;
}

function inboxOf({ project }: OwnMachine): string {
  const file = join(project, ".claude_mirror_inbox.jsonl");
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

async function push(machine: OwnMachine, path: string, content = path): Promise<void> {
  machine.write(path, content);
  const ended = await machine.run(["push"]);
  if (ended.code !== 0) throw new Error(ended.stdout + ended.stderr);
}

describe.each(REMOTE_KINDS)("watch on $name", (kind) => {
  let started: Awaited<ReturnType<typeof kind.start>>;
  beforeAll(async () => {
    started = await kind.start();
  });
  afterAll(() => started.stop());

  async function two(settings = {}): Promise<[OwnMachine, OwnMachine, RemotePlace]> {
    const place = started.place();
    const own = { settings: { poll_interval: 1, ...settings } };
    const machines = await Promise.all(["a", "b"].map((name) => ownMachine(name, place, own)));
    const [a, b] = machines as [OwnMachine, OwnMachine];
    await push(a, "first.md");
    expect((await b.run(["pull"])).code).toBe(0);
    return [a, b, place];
  }

  test("watch: what another machine pushes is in the inbox, on the desktop and on the screen; own pushes are not", async () => {
    const [a, b] = await two();
    const watching = await watcher(b);
    expect(inboxOf(b)).toBe("");
    await push(a, "notes.md");
    await until(() => inboxOf(b) !== "", watching.err);
    await until(() => watching.out() !== "", watching.err);
    expect(watching.out()).toBe("a@a push notes.md in 'project'\n");
    const desktop = join(b.home, "desktop.log");
    const told = () =>
      existsSync(desktop) && readFileSync(desktop, "utf8").includes("a@a updated notes.md in 'project'.");
    await until(told, watching.err);
    await b.run(["pull"]);
    await push(b, "mine.md");
    await push(a, "again.md");
    await until(() => inboxOf(b).includes("again.md"), watching.err);
    expect((await b.run(["inbox"])).stdout.match(/ (push|pull) .*/g)).toEqual([
      " push notes.md in 'project'",
      " push again.md in 'project'",
    ]);
    watching.kill("SIGINT");
    expect(await watching.exited).toBe(0);
  });

  test("watch --once: the first look takes note, the next bring what is new, each once", async () => {
    const [a, b] = await two();
    expect(await b.run(["watch", "--once"])).toMatchObject({ code: 0, stdout: "" });
    await push(a, "cron.md");
    expect(await b.run(["watch", "--once", "--quiet"])).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(inboxOf(b)).toContain("cron.md");
    expect(await b.run(["watch", "--once"])).toMatchObject({ code: 0, stdout: "" });
    expect(inboxOf(b).trim().split("\n")).toHaveLength(1);
  });

  test("watch: with auto_pull what is safe is fetched, conflicts are left", async () => {
    const [a, b] = await two({ auto_pull: true });
    const watching = await watcher(b);
    b.write("first.md", "edited here");
    await push(a, "first.md", "edited there");
    await until(() => watching.err().includes("auto_pull"), watching.err);
    await push(a, "auto.md");
    await until(() => existsSync(join(b.project, "auto.md")), watching.err);
    expect(b.read("first.md")).toBe("edited here");
    expect(watching.err()).toContain("1 conflict(s) are left");
    watching.kill("SIGINT");
    expect(await watching.exited).toBe(0);
  });
});

describe("watch and watch-all on a local folder", () => {
  /** Two projects of one user, and another machine for the first. */
  async function many() {
    const started = await REMOTE_KINDS[0]?.start();
    if (started === undefined) throw new Error("no local folder");
    const [one, two] = [started.place(), started.place()];
    const settings = { poll_interval: 1 };
    const other = await ownMachine("other", one, { settings });
    const mine = await ownMachine("mine", one, { settings });
    await push(other, "first.md");
    return { other, mine, folder: one.folder, second: two };
  }

  test("watch: a folder that goes away and comes back is told once each, and nothing is missed", async () => {
    const { other: a, mine: b, folder } = await many();
    const watching = await watcher(b);
    const away = `${folder}-away`;
    renameSync(folder, away);
    await until(() => watching.err().includes("trying on"), watching.err);
    renameSync(away, folder);
    await push(a, "later.md");
    await until(() => inboxOf(b).includes("later.md"), watching.err);
    await until(() => watching.err().includes("works again"), watching.err);
    expect(watching.err().match(/trying on/g)).toHaveLength(1);
    expect((await b.run(["doctor"])).stdout).toContain(`process ${watching.pid}, last look`);
    watching.kill("SIGTERM");
    expect(await watching.exited).toBe(0);
  });

  test("watch-all: watches every project, one process a user; SIGHUP and reload make it look again", async () => {
    const { other, mine, second } = await many();
    const watching = await watcher(mine, ["watch-all"]);
    const twice = await mine.run(["watch-all"]);
    expect(twice.code).toBe(7);
    expect((await mine.run(["watch"])).code).toBe(7);
    await push(other, "seen.md");
    await until(() => inboxOf(mine).includes("seen.md"), watching.err);
    // A project that is set up while it runs.
    const added = join(mine.home, "added");
    mkdirSync(added);
    const init = await mine.run(["init", "--local-folder", second.folder, "--poll-interval", "1"], { cwd: added });
    expect(init.code).toBe(0);
    expect((await mine.run(["reload"])).stdout).toBe(`The watcher (process ${watching.pid}) looks for projects now.\n`);
    await until(() => watching.err().includes("Watching added"), watching.err);
    watching.kill("SIGHUP");
    const config = join(mine.home, ".config/claude_mirror/added.yaml");
    rmSync(config);
    await until(() => watching.err().includes(`No longer watching ${config}`), watching.err);
    writeFileSync(join(mine.home, ".config/claude_mirror/.reload_signal"), "1\n");
    await push(other, "still.md");
    await until(() => inboxOf(mine).includes("still.md"), watching.err);
    watching.kill("SIGTERM");
    expect(await watching.exited).toBe(0);
    expect((await mine.run(["reload"])).code).toBe(1);
  });

  test("watch-all: a config that breaks and is mended is noticed; the others go on", async () => {
    const { other, mine } = await many();
    const watching = await watcher(mine, ["watch-all", "--json"]);
    const text = readFileSync(mine.config, "utf8");
    writeFileSync(mine.config, "backend: [\n");
    await until(() => watching.err().includes("trying again in"), watching.err);
    expect(watching.err()).toContain(mine.config);
    writeFileSync(mine.config, text);
    utimesSync(mine.config, 1, 1);
    await push(other, "mended.md");
    await until(() => inboxOf(mine).includes("mended.md"), watching.err);
    await until(() => watching.out().includes("mended.md"), watching.err);
    const [line = ""] = watching.out().split("\n");
    expect(JSON.parse(line)).toMatchObject({
      version: 1,
      command: "watch-all",
      result: { action: "push", user: "other" },
    });
    watching.kill("SIGINT");
    expect(await watching.exited).toBe(0);
  });
});
