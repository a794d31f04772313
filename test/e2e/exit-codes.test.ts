import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { startApache } from "../support/apache.ts";
import { compiledBinary } from "../support/binary.ts";
import { type OwnMachine, ownMachine } from "../support/own-machine.ts";
import { REMOTE_KINDS, type RemoteKind, servedPlace } from "../support/remote-place.ts";
import type { TestServer } from "../support/server-process.ts";
import { team } from "../support/team.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

const kind = REMOTE_KINDS[0] as RemoteKind;
let place: Awaited<ReturnType<RemoteKind["start"]>>["place"];
let apache: TestServer;
beforeAll(async () => {
  ({ place } = await kind.start());
  apache = await startApache({ auth: "basic" });
});
afterAll(() => apache.stop());

const COMMANDS = [
  ["push"],
  ["pull"],
  ["sync"],
  ["status"],
  ["snapshots"],
  ["log"],
  ["history", "a.md"],
  ["diff", "a.md"],
];

describe("exit codes", () => {
  test("exit 0: every command of a project in sync", async () => {
    const one = await team(place(), ["anna"]);
    const anna = one.machines[0] as OwnMachine;
    anna.write("a.md", "a\n");
    await one.ok(anna, ["push"]);
    for (const words of [...COMMANDS, ["trash"], ["delete", "a.md", "--dry-run"], ["find-config"]]) {
      const { code, stderr } = await anna.run(words);
      expect({ words, code, stack: stderr.includes("    at ") }).toEqual({ words, code: 0, stack: false });
    }
  });

  test("exit 1: saying no to restore, and a snapshot that does not exist", async () => {
    const one = await team(place(), ["anna"]);
    const anna = one.machines[0] as OwnMachine;
    anna.write("a.md", "a\n");
    await one.ok(anna, ["push"]);
    anna.write("a.md", "edited\n");
    const { timestamp } = (await one.ok(anna, ["snapshots"])).rows[0] as { timestamp: string };
    const pty = anna.terminal(["restore", timestamp]);
    await pty.waitFor("Continue?");
    pty.type("n\r");
    expect(await pty.exited).toBe(1);
    expect(anna.read("a.md")).toBe("edited\n");
    expect((await anna.run(["inspect", "2001-01-01T00-00-00Z"])).code).toBe(1);
  });

  test("exit 2: wrong usage, no project, and a question without a terminal, naming the flag", async () => {
    const one = await team(place(), ["anna"]);
    const anna = one.machines[0] as OwnMachine;
    anna.write("a.md", "a\n");
    await one.ok(anna, ["push"]);
    anna.write("a.md", "edited\n");
    const { timestamp } = (await one.ok(anna, ["snapshots"])).rows[0] as { timestamp: string };
    const unanswered = await anna.run(["restore", timestamp]);
    expect({ code: unanswered.code, named: unanswered.stderr.includes("--yes") }).toEqual({ code: 2, named: true });
    expect(anna.read("a.md")).toBe("edited\n");
    for (const words of [
      ["push", "--nonsense"],
      ["sync", "--strategy", "nonsense"],
      ["push", "--allow", "x"],
      ["delete"],
    ])
      expect({ words, code: (await anna.run(words)).code }).toEqual({ words, code: 2 });
    const outside = await anna.run(["push"], { cwd: anna.home });
    expect({ code: outside.code, hint: outside.stderr.includes("init") }).toEqual({ code: 2, hint: true });
  });

  test("exit 3: one file fails, the others are done, and the next run finishes", async () => {
    const broken = await brokenServer(apache, { method: "PUT", path: "bad.md", status: 415 });
    const one = servedPlace(apache, "partial", { token: { username: "me", password: "secret ü" } });
    const url = `${broken.origin}/dav/partial/`;
    const anna = await ownMachine("anna", { ...one, settings: { ...one.settings, webdav_url: url } });
    for (const path of ["a.md", "bad.md", "c.md"]) anna.write(path, `${path}\n`);
    const first = await anna.run(["push", "--json"]);
    expect({ code: first.code, uploaded: first.json.uploaded }).toEqual({ code: 3, uploaded: ["a.md", "c.md"] });
    expect(first.json.failed.map(({ path }) => path)).toEqual(["bad.md"]);
    broken.heal();
    const second = await anna.run(["push", "--json"]);
    expect({ code: second.code, uploaded: second.json.uploaded }).toEqual({ code: 0, uploaded: ["bad.md"] });
    await broken.close();
  });

  test("exit 6: a wrong password, no password, a full server and a forbidden folder say what to do", async () => {
    const good = { username: "me", password: "secret ü" };
    const wrong = await ownMachine("anna", servedPlace(apache, "wrong", { token: { ...good, password: "x" } }));
    const none = await ownMachine("bert", servedPlace(apache, "none", {}));
    for (const machine of [wrong, none]) {
      machine.write("a.md", "a\n");
      for (const words of COMMANDS) {
        const { code, stdout, stderr } = await machine.run(words);
        expect({ words, code, stdout, stack: stderr.includes("    at ") }).toEqual({
          words,
          code: 6,
          stdout: "",
          stack: false,
        });
        expect(stderr).not.toContain("secret");
      }
    }
    expect((await none.run(["push"])).stderr).toContain("Not authenticated. Run claude-mirror auth first.");
    for (const [name, status] of [
      ["full", 507],
      ["forbidden", 403],
    ] as const) {
      const broken = await brokenServer(apache, { method: "PUT", path: "", status });
      const one = servedPlace(apache, name, { token: good });
      const url = `${broken.origin}/dav/${name}/`;
      const anna = await ownMachine("anna", { ...one, settings: { ...one.settings, webdav_url: url } });
      anna.write("a.md", "a\n");
      const { code, stderr } = await anna.run(["push"]);
      expect({ name, code, stack: stderr.includes("    at ") }).toEqual({ name, code: 6, stack: false });
      await broken.close();
    }
  });

  test("exit 7: a second run while one waits for an answer; its name and pid are told", async () => {
    const both = await team(place(), ["anna", "bert"]);
    const [anna, bert] = both.machines as readonly [OwnMachine, OwnMachine];
    anna.write("a.md", "anna\n");
    await both.ok(anna, ["push"]);
    bert.write("a.md", "bert\n");
    const pty = bert.terminal(["sync"]);
    await pty.waitFor("[S] Skip");
    for (const command of ["push", "pull", "sync"]) {
      const { code, stderr } = await bert.run([command]);
      expect({ command, code, told: stderr.includes("sync") }).toEqual({ command, code: 7, told: true });
    }
    expect((await bert.run(["status"])).code).toBe(0);
    expect((await bert.run(["push", "--dry-run"])).code).toBe(0);
    pty.type("s\r");
    expect(await pty.exited).toBe(4);
    expect((await bert.run(["push"])).code).toBe(4);
  });

  test("exit 130: Ctrl-C in the middle of a push; the next push finishes it with one snapshot and one log entry", async () => {
    const slow = await brokenServer(apache, { method: "PUT", path: "file 19.md", status: "hang" });
    const one = servedPlace(apache, "interrupted", { token: { username: "me", password: "secret ü" } });
    const url = `${slow.origin}/dav/interrupted/`;
    const there = { ...one, settings: { ...one.settings, webdav_url: url } };
    const anna = await ownMachine("anna", there, { settings: { parallel_workers: 2 } });
    for (let at = 10; at < 20; at++) anna.write(`file ${at}.md`, `file ${at}\n`);
    const child = Bun.spawn([await compiledBinary(), "push"], {
      env: { HOME: anna.home },
      cwd: anna.project,
      stdio: ["ignore", "pipe", "pipe"],
    });
    await slow.hanging;
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    slow.heal();
    const status = (await anna.run(["status", "--json"])).json.summary;
    expect(status["conflict"]).toBe(0);
    expect(status["in_sync"]).toBeGreaterThan(0);
    const { code, json } = await anna.run(["push", "--json"]);
    expect(code).toBe(0);
    expect(json.uploaded.length + (status["in_sync"] ?? 0)).toBe(10);
    const log = (await anna.run(["log", "--json"])).rows;
    expect(log.flatMap(({ files }) => files as string[]).sort()).toEqual(
      Array.from({ length: 10 }, (_, at) => `file ${at + 10}.md`),
    );
    expect((await anna.run(["snapshots", "--json"])).rows[0]).toMatchObject({ file_count: 10 });
    expect((await anna.run(["status", "--json"])).json.summary).toMatchObject({ in_sync: 10 });
    await slow.close();
  });

  test("a manifest that is cut off is set aside and what is equal adopted; a broken YAML is told in one sentence", async () => {
    const one = await team(place(), ["anna"]);
    const anna = one.machines[0] as OwnMachine;
    anna.write("a.md", "a\n");
    await one.ok(anna, ["push"]);
    for (const text of ["", "{", "[]", "\u0000\u0000"]) {
      anna.write(".claude_mirror_manifest.json", text);
      const { code, json } = await one.run(anna, ["sync"]);
      expect({ text, code, planned: json.planned.filter(({ action }) => action !== "adopt") }).toEqual({
        text,
        code: 0,
        planned: [],
      });
    }
    writeFileSync(anna.config, "backend: local\nproject_path: [\n");
    const { code, stderr } = await anna.run(["status", "--config", anna.config]);
    expect({ code, stack: stderr.includes("    at ") }).toEqual({ code: 1, stack: false });
    expect(stderr).toContain(anna.config);
  });

  test("an unreadable local file is held and never deleted there", async () => {
    if (process.getuid?.() === 0) return expectAsOther();
    const one = await team(place(), ["anna"]);
    const anna = one.machines[0] as OwnMachine;
    anna.write("a.md", "a\n");
    await one.ok(anna, ["push"]);
    chmodSync(join(anna.project, "a.md"), 0);
    expect((await one.ok(anna, ["status"])).json.summary).toMatchObject({ held: 1 });
  });
});

/** Root reads everything but a pipe. */
async function expectAsOther(): Promise<void> {
  const one = await team(place(), ["anna"]);
  const anna = one.machines[0] as OwnMachine;
  for (const path of ["a.md", "b.md"]) anna.write(path, `${path}\n`);
  await one.ok(anna, ["push"]);
  anna.remove("a.md");
  const made = Bun.spawnSync(["mkfifo", join(anna.project, "a.md")]);
  expect(made.exitCode).toBe(0);
  const { json } = await one.run(anna, ["push"]);
  expect(json.held.map(({ path }) => path)).toEqual(["a.md"]);
  expect(one.remoteFiles()).toMatchObject({ "a.md": "a.md\n" });
}

interface Broken {
  readonly origin: string;
  /** Resolves when a request hangs. */
  readonly hanging: Promise<void>;
  heal(): void;
  close(): Promise<void>;
}

/** A proxy before `server` that answers requests of one method to paths that end in `path` with a failure, or never. */
async function brokenServer(
  server: TestServer,
  fault: { readonly method: string; readonly path: string; readonly status: number | "hang" },
): Promise<Broken> {
  let broken = true;
  const hanging = Promise.withResolvers<void>();
  const proxy: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = decodeURIComponent(request.url ?? "");
    if (broken && request.method === fault.method && path.endsWith(fault.path) && !path.includes("probe")) {
      if (fault.status === "hang") return hanging.resolve();
      response.writeHead(fault.status);
      response.end();
      return;
    }
    const { host: _, connection: __, ...headers } = request.headers as Record<string, string>;
    const answer = await fetch(`${server.origin}${request.url}`, {
      method: request.method ?? "GET",
      headers,
      redirect: "manual",
      ...(chunks.length > 0 ? { body: Buffer.concat(chunks) } : {}),
    });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    hanging: hanging.promise,
    heal: () => {
      broken = false;
    },
    async close() {
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
    },
  };
}
