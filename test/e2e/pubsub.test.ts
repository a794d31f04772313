import { afterAll, afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeDrive, startFakeDrive } from "../fakes/googledrive/server.ts";
import { type FakePubsub, startFakePubsub } from "../fakes/pubsub/server.ts";
import type { Subscription } from "../fakes/pubsub/store.ts";
import { compiledBinary } from "../support/binary.ts";
import { selfSigned } from "../support/certificate.ts";
import { googledrivePlace } from "../support/googledrive-place.ts";
import { type OwnMachine, ownMachine } from "../support/own-machine.ts";
import { ROOT } from "../support/pages.ts";
import { CLOUD_PROJECT, TOPIC, TOPIC_ID } from "../support/pubsub-place.ts";
import { tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

let drive: FakeDrive;
let pubsub: FakePubsub;
let binary: string;
let acknowledge: FakePubsub["store"]["acknowledge"];
beforeAll(async () => {
  drive = await startFakeDrive();
  pubsub = await startFakePubsub({ userOf: (token) => drive.oauth.userOf(token) });
  acknowledge = pubsub.store.acknowledge;
  binary = await compiledBinary();
});
afterAll(async () => {
  await drive.stop();
  await pubsub.stop();
});
const running: Watcher[] = [];
afterEach(async () => {
  for (const one of running.splice(0)) await one.kill();
  pubsub.store.acknowledge = acknowledge;
  pubsub.store.topics.clear();
  pubsub.store.subscriptions.clear();
});

interface Watcher {
  readonly pid: number;
  err(): string;
  kill(signal?: NodeJS.Signals): Promise<number>;
}

interface WatcherOptions {
  /** How the program is started; the binary when left out. */
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whose streams are counted. */
  readonly at?: FakePubsub;
}

/** A watcher whose stream stands. */
async function watcher(
  machine: OwnMachine,
  { argv = [binary], env = {}, at = pubsub }: WatcherOptions = {},
): Promise<Watcher> {
  const before = at.grpc.streams();
  const child = Bun.spawn([...argv, "watch"], {
    cwd: machine.project,
    env: { HOME: machine.home, PATH: "/nowhere", ...environment, ...env },
    stdout: "ignore",
    stderr: "pipe",
  });
  let said = "";
  void (async () => {
    for await (const chunk of child.stderr) said += new TextDecoder().decode(chunk);
  })();
  const one: Watcher = {
    pid: child.pid,
    err: () => said,
    async kill(signal = "SIGKILL") {
      child.kill(signal);
      return child.exited;
    },
  };
  running.push(one);
  await until(() => at.grpc.streams() > before, one.err);
  return one;
}

const streams = () => pubsub.grpc.streams();
let environment: Readonly<Record<string, string>> = {};

/** Two machines of one name with one project, which both have pulled. A poll comes after an hour. */
async function two(at = pubsub, more: Readonly<Record<string, string>> = {}): Promise<[OwnMachine, OwnMachine]> {
  at.store.createTopic(TOPIC);
  const place = googledrivePlace(drive);
  environment = { ...place.env, CLAUDE_MIRROR_ENDPOINT_GOOGLEDRIVE_NOTIFY: at.origin, ...more };
  const settings = {
    gcp_project_id: CLOUD_PROJECT,
    pubsub_topic_id: TOPIC_ID,
    poll_interval: 3600,
    machine_name: "pc",
  };
  const machines = await Promise.all(
    ["a", "b"].map((name) =>
      ownMachine(name, { ...place, env: environment }, { settings: { ...settings, user: name } }),
    ),
  );
  const [a, b] = machines as [OwnMachine, OwnMachine];
  await push(a, "first.md");
  expect((await b.run(["pull"])).code).toBe(0);
  return [a, b];
}

async function push(machine: OwnMachine, path: string): Promise<void> {
  machine.write(path, path);
  const ended = await machine.run(["push"]);
  if (ended.code !== 0) throw new Error(ended.stdout + ended.stderr);
}

/** What the inbox tells of: who did what to which files. */
function inbox({ project }: OwnMachine): string[] {
  const file = join(project, ".claude_mirror_inbox.jsonl");
  if (!existsSync(file)) return [];
  // What is behind the last line's end is still being written.
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => {
    const { user, action, files } = JSON.parse(line) as { user: string; action: string; files: string[] };
    return `${user} ${action} ${files.join(" ")}`;
  });
}

function stateFile(machine: OwnMachine, name: string): string {
  const states = join(machine.home, ".local/state/claude-mirror");
  const found = readdirSync(states).map((folder) => join(states, folder, name));
  return found.find((file) => existsSync(file)) ?? "";
}

function subscriptionOf(machine: OwnMachine, at = pubsub): Subscription {
  const end = readFileSync(stateFile(machine, "machine-id"), "utf8").slice(0, 8);
  const found = [...at.store.subscriptions.values()].find(({ name }) => name.endsWith(end));
  if (found === undefined) throw new Error(`no subscription ends in ${end}`);
  return found;
}

test("watch: what another machine did comes over the stream, in order and once, and own events are not told", async () => {
  const [a, b] = await two();
  const watching = await watcher(b);
  const own = subscriptionOf(b);
  const before = pubsub.store.published.length;
  const kept: number[] = [];
  const acknowledge = pubsub.store.acknowledge.bind(pubsub.store);
  pubsub.store.acknowledge = (name, ids) => {
    kept.push(inbox(b).length);
    acknowledge(name, ids);
  };
  // Only the stream can tell of what is not in the log.
  const unlogged = {
    machine: "old",
    user: "c",
    timestamp: "t",
    files: ["unlogged.md"],
    action: "push",
    project: "project",
  };
  pubsub.store.publish(TOPIC, [{ data: Buffer.from(JSON.stringify(unlogged)).toString("base64"), attributes: {} }]);
  await until(() => own.acked.length === 1, watching.err);
  await push(a, "one.md");
  await until(() => inbox(b).length === 2, watching.err);
  await push(a, "two.md");
  expect((await a.run(["delete", "one.md"])).code).toBe(0);
  await push(b, "mine.md");
  await until(() => own.acked.length === pubsub.store.published.length - before, watching.err);
  expect(inbox(b)).toEqual(["c push unlogged.md", "a push one.md", "a push two.md", "a delete one.md"]);
  // Each was in the inbox before it was acknowledged.
  expect(kept.map((lines, at) => lines >= Math.min(at + 1, 4))).toEqual(kept.map(() => true));
  pubsub.store.acknowledge = acknowledge;
  await until(() => readFileSync(stateFile(b, "watch.json"), "utf8").includes('"told":true'), watching.err);
  const { stdout } = await b.run(["doctor"]);
  expect(stdout).toContain(own.name.slice(own.name.lastIndexOf("/") + 1));
  expect(stdout).toMatch(/last look .*, told of changes as they happen/);
  expect(await watching.kill("SIGINT")).toBe(0);
  await until(() => streams() === 0);
});

test("watch: killed between receipt and acknowledgement, it tells once; a server that restarts is found again", async () => {
  const [a, b] = await two();
  const first = await watcher(b);
  const own = subscriptionOf(b);
  pubsub.store.acknowledge = () => undefined;
  await push(a, "one.md");
  await until(() => inbox(b).length === 1, first.err);
  await first.kill();
  await until(() => streams() === 0);
  pubsub.store.acknowledge = acknowledge;
  expect([own.acked.length, own.waiting.length]).toEqual([0, 1]);

  const second = await watcher(b);
  await until(() => own.acked.length === 1, second.err);
  expect(inbox(b)).toEqual(["a push one.md"]);

  await pubsub.goDown();
  await until(() => streams() === 0);
  await pubsub.comeBack();
  await until(() => streams() === 1, second.err);
  await push(a, "two.md");
  await until(() => own.acked.length === 2, second.err);
  expect(inbox(b)).toEqual(["a push one.md", "a push two.md"]);
  expect(second.err()).not.toContain("not told as they happen");
});

test("watch: over TLS the stream carries the sign-in, and one that ended is renewed", async () => {
  const { key, certificate } = selfSigned();
  const tls = { key: readFileSync(key, "utf8"), cert: readFileSync(certificate, "utf8"), host: "localhost" };
  const secure = await startFakePubsub({ userOf: (token) => drive.oauth.userOf(token), tls });
  try {
    const [a, b] = await two(secure, { NODE_EXTRA_CA_CERTS: certificate });
    const watching = await watcher(b, { at: secure });
    await push(a, "one.md");
    await until(() => inbox(b).length === 1, watching.err);
    drive.oauth.expireAccess();
    secure.grpc.endStreams(14, "The service was unable to fulfil your request.");
    await until(() => secure.grpc.streams() === 0, watching.err);
    await push(a, "two.md");
    await until(() => subscriptionOf(b, secure).acked.length === 2, watching.err);
    expect(inbox(b)).toEqual(["a push one.md", "a push two.md"]);
    await watching.kill();
  } finally {
    await secure.stop();
  }
});

test("watch: the same under Deno", async () => {
  const [a, b] = await two();
  // The program itself: its wrapper of npm would take the signal.
  const packages = join(ROOT, "node_modules/@deno");
  const deno = join(packages, readdirSync(packages)[0] ?? "", "deno");
  const argv = [deno, "run", "--quiet", "--no-prompt", "-A", join(ROOT, "src/main.ts")];
  const env = { DENO_DIR: tempFolder("deno"), DENO_NO_UPDATE_CHECK: "1", PATH: "/usr/bin:/bin" };
  const watching = await watcher(b, { argv, env });
  await push(a, "one.md");
  await until(() => subscriptionOf(b).acked.length === 1, watching.err);
  expect(inbox(b)).toEqual(["a push one.md"]);
  expect(await watching.kill("SIGINT")).toBe(0);
});
