import { afterAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackendError, StaleError } from "../../src/backends/errors.ts";
import type { BackendDeps } from "../../src/backends/module.ts";
import type { Backend, Rev, Written } from "../../src/backends/types.ts";
import { davRoot } from "../../src/backends/webdav/dav-path.ts";
import { stateFile } from "../../src/backends/webdav/facts.ts";
import { webdav } from "../../src/backends/webdav/index.ts";
import { createTemps } from "../../src/backends/webdav/temps.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { relPath } from "../../src/lib/path.ts";
import { APACHE_USER, type ApacheOptions, startApache } from "../support/apache.ts";
import { sourceOf } from "../support/bodies.ts";
import { type NginxOptions, startNginx } from "../support/nginx.ts";
import type { TestServer } from "../support/server-process.ts";
import { tempFolder } from "../support/temp.ts";
import { giveToServer, probedFacts, webdavClient, webdavConfig, webdavDeps } from "../support/webdav-setup.ts";

const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops) await stop();
});

const A = relPath("docs/a.md");

interface Place {
  readonly server: TestServer;
  readonly backend: Backend;
  readonly deps: BackendDeps;
  readonly url: string;
}

async function placeOn(server: TestServer, deps: BackendDeps): Promise<Place> {
  stops.push(() => server.stop());
  const url = `${server.origin}/dav/team/project`;
  await webdav.prepare(webdavConfig(url), deps);
  const backend = await webdav.open(webdavConfig(url), deps);
  stops.unshift(() => backend.close());
  return { server, backend, deps, url };
}

async function onApache(options: ApacheOptions = {}): Promise<Place> {
  return placeOn(await startApache(options), webdavDeps(options.auth ? APACHE_USER : undefined));
}

async function onNginx(options: NginxOptions = {}): Promise<Place> {
  return placeOn(await startNginx(options), webdavDeps());
}

/** What the requests made by `work` were, by method. */
async function requestsOf(place: Place, work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await settled(place.server);
  await work();
  const after = await settled(place.server);
  const made = [...after].map(([method, count]) => [method, count - (before.get(method) ?? 0)] as const);
  return Object.fromEntries(made.filter(([, count]) => count > 0));
}

/** The log is written after the answer: it is read again until it stands still with our last request in it. */
async function settled(server: TestServer): Promise<Map<string, number>> {
  const heads = server.counts().get("HEAD") ?? 0;
  await (await fetch(server.origin, { method: "HEAD" })).text();
  for (let before = new Map<string, number>(), i = 0; i < 200; i++) {
    await Bun.sleep(15);
    const counts = server.counts();
    if ((counts.get("HEAD") ?? 0) > heads && same(counts, before)) {
      counts.delete("HEAD");
      return counts;
    }
    before = counts;
  }
  throw new Error("the access log does not come to rest");
}

function same(a: Map<string, number>, b: Map<string, number>): boolean {
  return a.size === b.size && [...a].every(([method, count]) => b.get(method) === count);
}

async function failure(promise: Promise<unknown>): Promise<BackendError> {
  const error = await promise.then(
    () => new Error("it succeeded"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BackendError)) throw error;
  return error;
}

test("prepare: makes the base folder with those above it, once, and cleans the probe up", async () => {
  const place = await onApache({ auth: "basic" });
  const base = join(place.server.root, "team/project");
  expect(readdirSync(base)).toEqual([]);
  const again = await webdav.prepare(webdavConfig(place.url), place.deps);
  expect(again.created).toBe(false);
  expect(again.can.guard).toBe("native");
  expect(readdirSync(base)).toEqual([]);
  await webdav.check(webdavConfig(place.url), place.deps);
});

test("open: costs no request where the facts are kept, and never makes the base folder", async () => {
  const place = await onApache();
  const requests = await requestsOf(place, () => webdav.open(webdavConfig(place.url), place.deps));
  expect(requests).toEqual({});
  const elsewhere = webdavConfig(`${place.server.origin}/dav/not-there`);
  const backend = await webdav.open(elsewhere, place.deps);
  expect((await backend.list("")).exists).toBe(false);
  const error = await failure(backend.write(A, sourceOf("x"), { expect: "absent" }));
  expect(error.hint).toContain("by hand");
  expect(existsSync(join(place.server.root, "not-there"))).toBe(false);
  expect((await failure(webdav.check(elsewhere, place.deps))).status).toBe(404);
  await backend.close();
});

test("open: a wrong password is AUTH with a hint at app passwords, and is not in the message", async () => {
  const place = await onApache({ auth: "basic" });
  const deps = { ...webdavDeps({ username: "me", password: "wrong-secret" }) };
  for (const call of [webdav.check, webdav.prepare]) {
    const error = await failure(call(webdavConfig(place.url), deps));
    expect(error.class).toBe("AUTH");
    expect(error.hint).toContain("app password");
    expect(`${error.message}${error.hint}`).not.toContain("wrong-secret");
  }
});

test("open: http needs webdav_insecure_http, and only web addresses are taken", async () => {
  for (const url of ["http://cloud.example/dav", "cloud.example", "ftp://cloud.example/"]) {
    const config = { ...webdavConfig(url), webdavInsecureHttp: false };
    expect((await failure(webdav.open(config, webdavDeps()))).message).toContain("webdav_url");
  }
  const secret = { ...webdavConfig("ftp://me:hunter2@cloud.example/") };
  expect((await failure(webdav.open(secret, webdavDeps()))).message).not.toContain("hunter2");
});

test("Digest: the first request may be a large upload, and every byte arrives", async () => {
  const place = await onApache({ auth: "digest" });
  const bytes = Buffer.alloc(3_000_000, "digest ");
  await place.backend.write(A, sourceOf(bytes), { expect: "absent" });
  expect(statSync(join(place.server.root, "team/project/docs/a.md")).size).toBe(bytes.length);
  const reopened = await webdav.open(webdavConfig(place.url), place.deps);
  await reopened.write(relPath("docs/b.md"), sourceOf("small"), { expect: "absent" });
  expect(readFileSync(join(place.server.root, "team/project/docs/b.md"), "utf8")).toBe("small");
  await reopened.close();
});

test("Apache: a version is replaced and removed within the second in which its ETag is weak", async () => {
  const { backend } = await onApache();
  await backend.write(A, sourceOf("one"), { expect: "absent" });
  const first = await backend.stat(A);
  if (!first) throw new Error("not there");
  expect(first.rev).not.toContain("W/");
  await backend.write(A, sourceOf("second"), { expect: first.rev });
  expect(await failure(backend.write(A, sourceOf("3"), { expect: first.rev }))).toBeInstanceOf(StaleError);
  expect(await failure(backend.remove(A, { expect: first.rev }))).toBeInstanceOf(StaleError);
  const second = await backend.stat(A);
  if (!second) throw new Error("not there");
  await backend.remove(A, { expect: second.rev });
  expect(await backend.stat(A)).toBeUndefined();
});

test("Apache with mod_deflate: reads give the listed version and the true length", async () => {
  const { backend } = await onApache({ deflate: true });
  const text = "the same line\n".repeat(1000);
  await backend.write(A, sourceOf(text), { expect: "absent" });
  const listed = (await backend.list("")).files[0];
  const { file, body } = await backend.read(A, listed ? { expect: listed.rev } : {});
  expect(await new Response(body).text()).toBe(text);
  expect(file).toMatchObject({ size: text.length, rev: listed?.rev as typeof file.rev });
});

test("Apache: a push of new files costs one PUT each and one MKCOL per folder", async () => {
  const place = await onApache({ deepListings: true });
  const { backend } = place;
  const paths = Array.from({ length: 60 }, (_, i) => relPath(`f${i % 6}/deep/${i}.md`));
  const requests = await requestsOf(place, async () => {
    await backend.list("");
    await Promise.all(paths.map((path) => backend.write(path, sourceOf(path), { expect: "absent" })));
  });
  expect(requests).toEqual({ PROPFIND: 1, MKCOL: 12, PUT: 60 });
});

test("Apache: a status with folders to skip costs one listing and one per top-level folder", async () => {
  const place = await onApache({ deepListings: true });
  const { backend } = place;
  for (const path of ["a/b/c/1.md", "d/2.md", "_skip/x/3.md", "4.md"]) {
    await backend.write(relPath(path), sourceOf(path), { expect: "absent" });
  }
  const skip = [relPath("_skip")];
  const requests = await requestsOf(place, async () => {
    const listing = await backend.list("", { skip });
    expect(listing.files.map((file) => String(file.path)).sort()).toEqual(["4.md", "a/b/c/1.md", "d/2.md"]);
    expect(listing.folders.map(String).sort()).toEqual(["_skip", "a", "a/b", "a/b/c", "d"]);
  });
  expect(requests).toEqual({ PROPFIND: 3 });
  const whole = await requestsOf(place, () => backend.list(""));
  expect(whole).toEqual({ PROPFIND: 1 });
});

test("Apache: folder ETags do not propagate, so that changes is not offered", async () => {
  const { backend } = await onApache();
  expect(backend.changes).toBeUndefined();
  expect((await backend.list("")).cursor).toBeUndefined();
});

test("Apache: a folder made by another machine a moment ago is no failure", async () => {
  const { backend, server } = await onApache();
  await backend.list("");
  const folder = join(server.root, "team/project/docs");
  mkdirSync(folder);
  giveToServer(folder);
  await backend.write(A, sourceOf("x"), { expect: "absent" });
  expect(existsSync(join(folder, "a.md"))).toBe(true);
});

test("Apache: a folder that another machine removed is made again", async () => {
  const { backend, server } = await onApache();
  await backend.write(A, sourceOf("x"), { expect: "absent" });
  Bun.spawnSync(["rm", "-rf", join(server.root, "team/project/docs")]);
  await backend.write(relPath("docs/b.md"), sourceOf("y"), { expect: "absent" });
  expect(readdirSync(join(server.root, "team/project/docs"))).toEqual(["b.md"]);
});

test("nginx: preconditions are ignored, so that locks are the guard and no empty file is left", async () => {
  const place = await onNginx();
  const { backend } = place;
  expect(backend.can.guard).toBe("lock");
  await backend.write(A, sourceOf("one"), { expect: "absent" });
  const first = await backend.stat(A);
  if (!first) throw new Error("not there");
  await backend.remove(A, { expect: first.rev });
  expect(await failure(backend.write(A, sourceOf("two"), { expect: first.rev }))).toBeInstanceOf(StaleError);
  expect(await failure(backend.remove(A, { expect: first.rev }))).toBeInstanceOf(StaleError);
  expect(readdirSync(join(place.server.root, "team/project/docs"))).toEqual([]);
});

test("nginx: the version of a listing is the one of its HEAD, and a fresh one is racy", async () => {
  const { backend, url } = await onNginx();
  await backend.write(A, sourceOf("one"), { expect: "absent" });
  const listed = (await backend.list("")).files[0];
  const head = await fetch(`${url}/docs/a.md`, { method: "HEAD" });
  expect(`"${listed?.rev}"`).toBe(head.headers.get("etag") as string);
  expect(listed?.racy).toBe(true);
});

test("nginx: a name that begins with a dot is refused in plain words, not lost from sight", async () => {
  const { backend, server } = await onNginx();
  expect(backend.can.names.hiddenPrefix).toBe(".");
  for (const path of [".env", "a/.hidden/b.md"]) {
    const error = await failure(backend.write(relPath(path), sourceOf("x"), { expect: "absent" }));
    expect(error.class).toBe("FILE_REJECTED");
    expect(error.message).toContain("begin with a dot");
  }
  expect(readdirSync(join(server.root, "team/project"))).toEqual([]);
});

test("nginx: a file above the body limit is refused with its size, and leaves nothing behind", async () => {
  const { backend, server } = await onNginx({ bodyLimit: "1m" });
  const error = await failure(backend.write(A, sourceOf(Buffer.alloc(1_500_000)), { expect: "absent" }));
  expect(error).toMatchObject({ class: "FILE_REJECTED", status: 413 });
  expect(error.message).toContain("1500000");
  expect(error.hint).toContain("client_max_body_size");
  expect(readdirSync(join(server.root, "team/project"))).toEqual([]);
});

test("https: an unknown authority is refused with a hint, NODE_EXTRA_CA_CERTS makes it known", async () => {
  const folder = tempFolder("tls");
  const certificate = join(folder, "cert.pem");
  const key = join(folder, "key.pem");
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  Bun.spawnSync([
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-keyout",
    key,
    "-out",
    certificate,
    ...subject,
  ]);
  const server = await startApache({ auth: "basic", tls: { certificate, key } });
  stops.push(() => server.stop());
  const config = webdavConfig(`${server.origin}/dav`);
  const error = await failure(webdav.check(config, webdavDeps(APACHE_USER)));
  expect(error.hint).toContain("NODE_EXTRA_CA_CERTS");
  expect(error.message).toContain("certificate");
  const script = join(folder, "check.ts");
  const from = (path: string) => JSON.stringify(new URL(path, import.meta.url).pathname);
  writeFileSync(
    script,
    `import { webdav } from ${from("../../src/backends/webdav/index.ts")};
import { systemClock } from ${from("../../src/lib/clock.ts")};
const deps = { clock: systemClock, env: {}, stateFolder: ${JSON.stringify(folder)}, secret: ${JSON.stringify(APACHE_USER)} };
await webdav.check(${JSON.stringify(config)}, deps);
console.log("trusted");
process.exit(0);
`,
  );
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificate };
  const trusted = Bun.spawnSync([process.execPath, script], { env });
  expect(`${trusted.stdout}${trusted.stderr}`).toContain("trusted");
});

test("write: a body read in pieces arrives whole, above every buffer on the way", async () => {
  const { backend, server } = await onApache();
  const bytes = Buffer.alloc(20_000_000, "0123456789abcdef!");
  await backend.write(A, sourceOf(bytes), { expect: "absent" });
  const stored = readFileSync(join(server.root, "team/project/docs/a.md"));
  expect(createHash("sha256").update(stored).digest("hex")).toBe(createHash("sha256").update(bytes).digest("hex"));
});

test("locks: of several clients that replace one version at once exactly one wins", async () => {
  const { server } = await onApache();
  const url = `${server.origin}/dav`;
  const facts = { ...(await probedFacts(url)), update: "lock" as const };
  const clients = [1, 2, 3].map(() => webdavClient(url, facts));
  for (let round = 0; round < 10; round++) {
    const path = relPath(`${round}.md`);
    await clients[0]?.write(path, sourceOf("base"), { expect: "absent" });
    const base = await clients[0]?.stat(path);
    if (!base) throw new Error("not there");
    const results = await Promise.allSettled(
      clients.map((client, i) => client.write(path, sourceOf(`by ${i}`.repeat(1000 + i)), { expect: base.rev })),
    );
    const won = results.flatMap((result, i) => (result.status === "fulfilled" ? [i] : []));
    expect(won.length).toBe(1);
    expect((await clients[0]?.stat(path))?.size).toBe(4 * (1000 + (won[0] ?? 0)));
  }
  for (const client of clients) await client.close();
});

/** Leaves what a run leaves that is killed between PUT and MOVE: the file, and the note about it. Answers the file's place. */
function killedBeforeMove({ server, deps, url }: Place): string {
  const temp = createTemps(stateFile(deps.stateFolder, davRoot(url), "temps")).create(relPath("late.bin"));
  const file = join(server.root, "team/project", temp);
  writeFileSync(file, "half of an upload");
  return file;
}

for (const [name, open] of [
  ["Apache", onApache],
  ["nginx, which hides it,", onNginx],
] as const) {
  test(`temporary files: what a killed run left on ${name} goes before the next write, and a run that writes nothing leaves it`, async () => {
    const place = await open();
    const file = killedBeforeMove(place);
    const notes = stateFile(place.deps.stateFolder, davRoot(place.url), "temps");
    await place.backend.list("");
    expect(existsSync(file)).toBe(true);
    await place.backend.write(A, sourceOf("next"), { expect: "absent" });
    expect([existsSync(file), existsSync(notes)]).toEqual([false, false]);
    expect(await requestsOf(place, () => place.backend.write(A, sourceOf("more"), { expect: "any" }))).toEqual({
      PUT: 1,
    });
  });
}

test("temporary files: another machine's go once they are a day old, young ones and users' files never", async () => {
  const place = await onApache();
  const root = join(place.server.root, "team/project");
  const old = Date.now() / 1000 - 25 * 3600;
  const names = {
    old: ".claude_mirror_tmp_0123456789ab",
    young: ".claude_mirror_tmp_ba9876543210",
    users: ".claude_mirror_tmp_notes.md",
    longer: ".claude_mirror_tmp_0123456789ab.md",
  };
  for (const [kind, name] of Object.entries(names)) {
    writeFileSync(join(root, name), kind);
    if (kind !== "young") utimesSync(join(root, name), old, old);
  }
  mkdirSync(join(root, "sub/.claude_mirror_tmp_0123456789ab"), { recursive: true });
  giveToServer(join(root, "sub"));
  expect((await place.backend.list("")).files).toEqual([]);
  await place.backend.write(A, sourceOf("next"), { expect: "absent" });
  const left = readdirSync(root).filter((name) => name.startsWith(".claude_mirror_tmp_"));
  expect(left.sort()).toEqual([names.longer, names.young, names.users].sort());
  expect(existsSync(join(root, "sub/.claude_mirror_tmp_0123456789ab"))).toBe(true);
});

/** A file on nginx that was not written a moment ago, and its version. */
async function agedOnNginx() {
  const place = await onNginx();
  await place.backend.write(A, sourceOf("one"), { expect: "absent" });
  const file = join(place.server.root, "team/project", A);
  const old = Math.floor(Date.now() / 1000) - 60;
  utimesSync(file, old, old);
  const other = await webdav.open(webdavConfig(place.url), webdavDeps());
  stops.unshift(() => other.close());
  return { place, file, other, rev: (await place.backend.stat(A))?.rev as Rev };
}

test("locks: a look for writing guards the write, whose version is known without another look", async () => {
  const { place, rev } = await agedOnNginx();
  let written: Written | undefined;
  const requests = await requestsOf(place, async () => {
    await place.backend.stat(A, { forWrite: true });
    written = await place.backend.write(A, sourceOf("two"), { expect: rev });
  });
  expect(requests).toEqual({ LOCK: 1, PROPFIND: 1, PUT: 1, UNLOCK: 1 });
  const seen = await place.backend.stat(A);
  expect(written?.file).toMatchObject({
    rev: seen?.rev as Rev,
    size: 3,
    racy: false,
    modifiedMs: seen?.modifiedMs as number,
  });
});

test("locks: from the look on nobody else can write the file, and when the client closes they can", async () => {
  const { place, other, rev } = await agedOnNginx();
  const mine = await webdav.open(webdavConfig(place.url), place.deps);
  expect((await mine.stat(A, { forWrite: true }))?.rev).toBe(rev);
  expect((await failure(other.write(A, sourceOf("theirs"), { expect: rev }))).status).toBe(423);
  // A file that somebody else has locked is looked at all the same.
  expect((await other.stat(A, { forWrite: true }))?.rev).toBe(rev);
  await mine.close();
  await other.write(A, sourceOf("theirs"), { expect: rev });
});

test("locks: a version that is not the one expected is refused under the held lock, which is given back", async () => {
  const { place, other, rev } = await agedOnNginx();
  await place.backend.stat(A, { forWrite: true });
  expect(await failure(place.backend.write(A, sourceOf("mine"), { expect: "0-never" as Rev }))).toBeInstanceOf(
    StaleError,
  );
  await other.write(A, sourceOf("theirs"), { expect: rev });
});

test("locks: a look of long ago counts no more, as the lock may have ended while this machine slept", async () => {
  const { place, other, rev } = await agedOnNginx();
  const facts = await probedFacts(place.url);
  let ms = Date.now();
  const clock: Clock = { now: () => ms, sleep: systemClock.sleep };
  const mine = webdavClient(place.url, facts, undefined, { clock });
  stops.unshift(() => mine.close());
  await mine.stat(A, { forWrite: true });
  ms += 60_000;
  const requests = await requestsOf(place, () => mine.write(A, sourceOf("two"), { expect: rev }));
  expect(requests).toEqual({ PROPFIND: 2, LOCK: 1, PUT: 1, UNLOCK: 2 });
  expect((await other.stat(A))?.size).toBe(3);
});

test("locks: a look for writing at a file that is gone finds nothing and leaves nothing", async () => {
  const { place, file } = await agedOnNginx();
  rmSync(file);
  expect(await place.backend.stat(A, { forWrite: true })).toBeUndefined();
  expect(existsSync(file)).toBe(false);
});

test("dates: versions made of times never repeat, however fast one size follows the other", async () => {
  const { place, rev } = await agedOnNginx();
  const revs = [rev];
  for (let n = 0; n < 6; n++) {
    const { file } = await place.backend.write(A, sourceOf(`${n}${n}${n}`), { expect: revs.at(-1) as Rev });
    const seen = await place.backend.stat(A);
    if (file === undefined) break; // The next free second has not begun: then the server's own time counts, and is racy.
    expect(seen?.rev).toBe(file.rev);
    revs.push(file.rev);
  }
  expect(revs.length).toBeGreaterThanOrEqual(2);
  expect(new Set(revs).size).toBe(revs.length);
});
