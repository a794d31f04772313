import { beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LoggedRequest, requestsDuring } from "../support/access-log.ts";
import { recordAgreement } from "../support/agreed-project.ts";
import { APACHE_USER, startApache } from "../support/apache.ts";
import { compiledBinary } from "../support/binary.ts";
import { corpusPath, makeCorpus } from "../support/corpus.ts";
import {
  localYaml,
  type MachineOptions,
  type MeasuredMachine,
  measuredMachine,
  webdavYaml,
} from "../support/measured-machine.ts";
import { startNginx } from "../support/nginx.ts";
import type { TestServer } from "../support/server-process.ts";
import { knowPile } from "../support/snapshot-pile.ts";
import { tempFolder } from "../support/temp.ts";
import { giveToServer, probedFacts, webdavClient } from "../support/webdav-setup.ts";

/** Files of one push. */
const MANY = 1000;

let binary: string;

beforeAll(async () => {
  binary = await compiledBinary();
});

/** A project on a new folder of the server, the server's abilities already probed. */
async function projectOn(
  server: TestServer,
  name: string,
  options: Pick<MachineOptions, "patterns" | "home"> = {},
): Promise<MeasuredMachine> {
  const folder = join(server.root, name);
  mkdirSync(folder);
  giveToServer(folder);
  const remote = webdavYaml(`${server.origin}/dav/${name}`, APACHE_USER.username);
  const machine = measuredMachine({ binary, remote, secret: APACHE_USER, ...options });
  await succeed(machine, "status");
  return machine;
}

async function succeed(machine: MeasuredMachine, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await machine.run(...words);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

async function requestsOf(server: TestServer, machine: MeasuredMachine, ...words: string[]) {
  return (await requestsDuring(server, () => succeed(machine, ...words))).requests;
}

/** Changes one file and pushes it by name. */
async function pushOne(server: TestServer, machine: MeasuredMachine, text: string): Promise<readonly LoggedRequest[]> {
  await nextSecond();
  writeFileSync(join(machine.project, corpusPath(7)), text);
  return requestsOf(server, machine, "push", corpusPath(7));
}

/** Two snapshots of one second would compete for a name. */
async function nextSecond(): Promise<void> {
  await Bun.sleep(1000 - (Date.now() % 1000));
}

/** PROPFINDs on folders: their addresses end in a slash. */
function listings(requests: readonly LoggedRequest[]): readonly LoggedRequest[] {
  return requests.filter(({ method, path }) => method === "PROPFIND" && path.endsWith("/"));
}

describe("requests on Apache", () => {
  test("push: 1,000 new files and their snapshot take at most 2.4 requests a file, later 2.1, one file 8; status one per top-level folder and 2", async () => {
    const server = await startApache({ auth: "basic", deepListings: true });
    try {
      const machine = await projectOn(server, "deep");
      makeCorpus(machine.project, MANY);
      expect((await requestsOf(server, machine, "push")).length).toBeLessThanOrEqual(2.4 * MANY);
      const unchanged = await requestsOf(server, machine, "status");
      expect(unchanged.length).toBeLessThanOrEqual(2 + MANY / 200);
      expect(unchanged.filter(({ path }) => path.includes("_claude_mirror_"))).toEqual([]);

      const first = await pushOne(server, machine, "first\n");
      expect(first.length).toBeLessThanOrEqual(8);
      expect(listings(first)).toEqual([]);
      makeCorpus(machine.project, MANY, { from: MANY, seed: 2 });
      expect((await requestsOf(server, machine, "push")).length).toBeLessThanOrEqual(2.1 * MANY);
      for (let round = 0; round < 4; round++) await pushOne(server, machine, `round ${round}\n`);
      const later = await pushOne(server, machine, "last\n");
      expect(later.length).toBe(first.length);
    } finally {
      await server.stop();
    }
  });

  test("push: where deep listings are refused, 1,000 more files in new folders take at most 2.1 requests a file, and no change one", async () => {
    const server = await startApache({ auth: "basic" });
    try {
      const machine = await projectOn(server, "more");
      makeCorpus(machine.project, MANY);
      expect((await requestsOf(server, machine, "push")).length).toBeLessThanOrEqual(2.4 * MANY);
      makeCorpus(machine.project, MANY, { from: MANY, seed: 2 });
      expect((await requestsOf(server, machine, "push")).length).toBeLessThanOrEqual(2.1 * MANY);
      await nextSecond();
      expect(await requestsOf(server, machine, "push")).toHaveLength(1);
    } finally {
      await server.stop();
    }
  });

  test("status: where deep listings are refused, unchanged files cost one request a folder", async () => {
    const server = await startApache({ auth: "basic" });
    try {
      const machine = await projectOn(server, "shallow");
      makeCorpus(machine.project, 200);
      await succeed(machine, "push");
      const unchanged = await requestsOf(server, machine, "status");
      // The root, one area with its eight topics.
      expect(unchanged.map(({ method }) => method)).toEqual(new Array(10).fill("PROPFIND"));
    } finally {
      await server.stop();
    }
  });
});

describe("requests on nginx", () => {
  test("push: one named file among 1,000 takes at most 12 requests where locks are the guard, each time, and lists nothing", async () => {
    const server = await startNginx();
    try {
      const machine = await projectOn(server, "locked");
      makeCorpus(machine.project, MANY);
      await succeed(machine, "push");
      for (const text of ["changed\n", "changed again\n"]) {
        const requests = await pushOne(server, machine, text);
        expect(requests.length).toBeLessThanOrEqual(12);
        expect(listings(requests)).toEqual([]);
      }
    } finally {
      await server.stop();
    }
  });
});

describe("memory", () => {
  test("status: 100,000 unchanged files take less than 150 MB", async () => {
    const remote = tempFolder("remote");
    const machine = measuredMachine({ binary, remote: localYaml(remote) });
    await succeed(machine, "push");
    makeCorpus(machine.project, 100_000);
    Bun.spawnSync(["cp", "-r", `${machine.project}/.`, remote]);
    expect(await recordAgreement(machine, remote)).toBe(100_000);
    const { code, stdout, peakMb } = await machine.run("status");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "All 100000 file(s) in sync.\n" });
    expect(peakMb).toBeLessThan(150);
  }, 240_000);

  test("push: 100,000 new files and their snapshot take less than 300 MB", async () => {
    const place = fastPlace();
    try {
      const remote = join(place, "remote");
      mkdirSync(remote);
      const machine = measuredMachine({ binary, remote: localYaml(remote), home: join(place, "home") });
      makeMany(machine.project, 100_000);
      expect(await peakOf(machine, "push")).toBeLessThan(300);
    } finally {
      rmSync(place, { recursive: true });
    }
  }, 600_000);

  test("status: 100,000 unchanged files on Apache take less than 150 MB", async () => {
    const place = fastPlace();
    const server = await startApache({ auth: "basic", deepListings: true });
    try {
      const machine = await projectOn(server, "many", { home: join(place, "home") });
      makeMany(machine.project, 100_000);
      const folder = join(server.root, "many");
      Bun.spawnSync(["cp", "-r", `${machine.project}/.`, folder]);
      giveToServer(folder);
      const url = `${server.origin}/dav/many`;
      const client = webdavClient(url, await probedFacts(url, APACHE_USER), APACHE_USER);
      expect(await recordAgreement(machine, client)).toBe(100_000);
      const { code, stdout, peakMb } = await machine.run("status");
      expect({ code, stdout }).toEqual({ code: 0, stdout: "All 100000 file(s) in sync.\n" });
      expect(peakMb).toBeLessThan(150);
    } finally {
      await server.stop();
      rmSync(place, { recursive: true });
    }
  }, 240_000);

  test("push: 100,000 new files and their snapshot to Apache take less than 300 MB", async () => {
    const place = fastPlace();
    const server = await startApache({ auth: "basic", deepListings: true });
    try {
      const machine = await projectOn(server, "many", { home: join(place, "home") });
      makeMany(machine.project, 100_000);
      expect(await peakOf(machine, "push")).toBeLessThan(300);
    } finally {
      await server.stop();
      rmSync(place, { recursive: true });
    }
  }, 600_000);

  test("history: 200 snapshots of 10,000 files take less than 150 MB", async () => {
    const remote = tempFolder("remote");
    const machine = measuredMachine({ binary, remote: localYaml(remote) });
    await succeed(machine, "push");
    knowPile(machine, remote, { snapshots: 200, files: 10_000, changes: 20 });
    const { code, stdout, peakMb } = await machine.run("history", corpusPath(7));
    expect({ code, rows: stdout.match(/Z /g)?.length }).toEqual({ code: 0, rows: 200 });
    expect(peakMb).toBeLessThan(150);
  });

  test("push and restore: one file of 512 MiB takes less than 200 MB each way, on a local folder and on Apache", async () => {
    const server = await startApache({ auth: "basic" });
    try {
      const local = measuredMachine({ binary, remote: localYaml(tempFolder("remote")), patterns: ["**/*.bin"] });
      for (const machine of [local, await projectOn(server, "big", { patterns: ["**/*.bin"] })]) {
        writeFileSync(join(machine.project, "big.bin"), "");
        truncateSync(join(machine.project, "big.bin"), 512 * 2 ** 20);
        const pushed = await machine.run("push");
        expect({ code: pushed.code, stderr: pushed.code === 0 ? "" : pushed.stderr }).toEqual({ code: 0, stderr: "" });
        const snapshots = await succeed(machine, "snapshots", "--json");
        const name = /\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ/.exec(snapshots)?.[0] ?? "";
        const restored = await machine.run("restore", name, "big.bin", "--output", join(machine.home, "out"));
        expect({ code: restored.code, stderr: restored.code === 0 ? "" : restored.stderr }).toEqual({
          code: 0,
          stderr: "",
        });
        expect(pushed.peakMb).toBeLessThan(200);
        expect(restored.peakMb).toBeLessThan(200);
      }
    } finally {
      await server.stop();
    }
  });
});

/** Every file is made durable twice: on a disk that alone takes minutes. */
function fastPlace(): string {
  return mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tempFolder("many"), "claude-mirror-"));
}

/** Writes small files, a hundred to a folder. */
function makeMany(project: string, count: number): void {
  for (let folder = 0; folder < count / 100; folder++) {
    const path = join(project, `area-${folder % 40}/topic-${folder}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < 100; file++) writeFileSync(join(path, `a-note-of-${file}.md`), `${folder} ${file}`);
  }
}

/** In MB. */
async function peakOf(machine: MeasuredMachine, ...words: string[]): Promise<number> {
  const { code, stderr, peakMb } = await machine.run(...words);
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return peakMb;
}
