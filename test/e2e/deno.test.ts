import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { APACHE_USER, startApache } from "../support/apache.ts";
import { compiledBinary } from "../support/binary.ts";
import { setMtimeNs } from "../support/golden.ts";
import type { TestServer } from "../support/server-process.ts";
import { tempFolder } from "../support/temp.ts";
import { filesBelow, userFiles } from "../support/tree.ts";

const ROOT = join(import.meta.dir, "../..");

/** Refuses uploads that do not say how long they are, as some servers do. */
const LENGTH_REQUIRED = `RewriteEngine on
  RewriteCond %{REQUEST_METHOD} =PUT
  RewriteCond %{HTTP:Content-Length} =""
  RewriteRule .* - [R=411,L]`;

let server: TestServer;
let denoDir: string;
/** How each runtime is started, and what it needs besides HOME. */
let runtimes: Readonly<Record<RuntimeName, { readonly argv: string[]; readonly env: Record<string, string> }>>;
type RuntimeName = "Deno" | "the binary";

beforeAll(async () => {
  server = await startApache({ auth: "basic", extra: LENGTH_REQUIRED });
  denoDir = tempFolder("deno");
  const deno = join(ROOT, "node_modules/.bin/deno");
  runtimes = {
    "the binary": { argv: [await compiledBinary()], env: {} },
    Deno: {
      argv: [deno, "run", "--quiet", "--no-prompt", "-A", join(ROOT, "src/main.ts")],
      env: { DENO_DIR: denoDir, DENO_NO_UPDATE_CHECK: "1", PATH: process.env["PATH"] ?? "" },
    },
  };
});
afterAll(() => server.stop());

interface Remote {
  /** Flags for `init`. */
  readonly flags: readonly string[];
  /** Where its files are. */
  readonly folder: string;
}

const REMOTES: Readonly<Record<string, () => Remote>> = {
  "a local folder"() {
    const folder = tempFolder("mirror");
    return { flags: ["--local-folder", folder], folder };
  },
  Apache() {
    const name = `deno ${crypto.randomUUID()}`;
    const url = `${server.origin}/dav/${encodeURIComponent(name)}`;
    const flags = ["--webdav-url", url, "--webdav-username", APACHE_USER.username, "--webdav-insecure-http"];
    return { flags: [...flags, "--webdav-password-stdin"], folder: join(server.root, name) };
  },
};

describe.each(Object.keys(REMOTES))("Deno and the binary on %s", (kind) => {
  test("main: both runtimes give equal JSON and equal trees", async () => {
    const played = await Promise.all([play("Deno", kind), play("the binary", kind)]);
    const [deno, binary] = played as [Played, Played];
    expect(deno.transcript).toEqual(binary.transcript);
    expect(deno.trees).toEqual(binary.trees);
    expect(binary.transcript.map(({ code }) => code)).toEqual(binary.transcript.map(() => 0));
    expect(Object.keys(binary.trees["second machine"] ?? {}).sort()).toEqual(AFTER);
  });

  test("main: one machine may change from one runtime to the other and back", async () => {
    const remote = REMOTES[kind]?.() as Remote;
    const home = tempFolder("turns");
    await run("Deno", home, ["init", ...remote.flags, "--patterns", "**/*"]);
    await run("Deno", home, ["auth"]);
    write(home, FILES);
    // Deno tells a file's time in whole milliseconds, which must look like no edit and no new version.
    setMtimeNs(join(home, "project/CLAUDE.md"), 1_795_196_396_118_080_131n);
    expect((await run("Deno", home, ["push"])).result["uploaded"]).toHaveLength(Object.keys(FILES).length);
    for (const runtime of ["the binary", "Deno", "the binary"] as const) {
      const { result } = await run(runtime, home, ["status"]);
      expect(result["summary"]).toMatchObject({ in_sync: Object.keys(FILES).length, local_ahead: 0, remote_ahead: 0 });
      const pushed = await run(runtime, home, ["push"]);
      expect([pushed.result["uploaded"], pushed.result["snapshot"]]).toEqual([[], null]);
    }
  });
});

test("deno.test: the server of these tests refuses an upload that does not tell its length", async () => {
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("of unknown length"));
      controller.close();
    },
  });
  const headers = {
    authorization: `Basic ${Buffer.from(`${APACHE_USER.username}:${APACHE_USER.password}`).toBase64()}`,
  };
  expect((await fetch(`${server.origin}/dav/x`, { method: "PUT", headers, body })).status).toBe(411);
  expect((await fetch(`${server.origin}/dav/x`, { method: "PUT", headers, body: "of known length" })).status).toBe(201);
});

/** More than the buffers on the way hold. */
const LARGE = Uint8Array.from({ length: 6_000_000 }, (_, at) => (at * 31 + (at >> 9)) & 255);

const FILES: Readonly<Record<string, string | Uint8Array>> = {
  "CLAUDE.md": "# Notes\n",
  "empty.md": "",
  "large.bin": LARGE,
  "memory/naïve – dash & #hash 100%.md": "ünï\n",
  "memory/old.md": "old\n",
  "memory/moved.md": "moved\n",
};
const AFTER = [
  "CLAUDE.md",
  "empty.md",
  "large.bin",
  "memory/naïve – dash & #hash 100%.md",
  "memory/new name.md",
  "new.md",
];

interface Played {
  readonly transcript: readonly { readonly words: string; readonly code: number; readonly json: unknown }[];
  /** What lies where in the end, path to content; names of snapshots masked. */
  readonly trees: Readonly<Record<string, Record<string, string>>>;
}

/** One story on two machines, told by one runtime. */
async function play(runtime: RuntimeName, kind: string): Promise<Played> {
  const remote = REMOTES[kind]?.() as Remote;
  const [first, second] = [tempFolder("first"), tempFolder("second")];
  const transcript: Played["transcript"][number][] = [];
  const tell = async (home: string, ...words: string[]) => {
    const { code, result } = await run(runtime, home, words);
    const mask = (text: string) => masked(text, { [home]: "HOME", [remote.folder]: "REMOTE", [urlOf(remote)]: "URL" });
    transcript.push({ words: mask(words.join(" ")), code, json: JSON.parse(mask(JSON.stringify(comparable(result)))) });
    return result;
  };
  await tell(first, "init", ...remote.flags, "--patterns", "**/*");
  await tell(first, "auth");
  await tell(first, "status");
  write(first, FILES);
  const { snapshot } = (await tell(first, "push")) as { readonly snapshot: { readonly timestamp: string } };
  write(first, { "CLAUDE.md": "# Notes, edited\n", "new.md": "new\n", "large.bin": LARGE.toReversed() });
  rmSync(join(first, "project/memory/old.md"));
  renameSync(join(first, "project/memory/moved.md"), join(first, "project/memory/new name.md"));
  await tell(first, "status");
  await tell(first, "push", "--dry-run");
  await tell(first, "push");
  await tell(second, "init", ...remote.flags, "--patterns", "**/*");
  await tell(second, "doctor");
  await tell(second, "pull");
  await tell(second, "status");
  await tell(second, "push");
  await tell(second, "history", "CLAUDE.md");
  await tell(second, "snapshots");
  await tell(second, "log");
  await tell(second, "stats");
  await tell(second, "restore", snapshot.timestamp, "--output", "../restored");
  const trees = {
    "first machine": userFiles(join(first, "project")),
    "second machine": userFiles(join(second, "project")),
    restored: userFiles(join(second, "restored")),
    remote: userFiles(remote.folder),
    blobs: Object.fromEntries(filesBelow(join(remote.folder, "_claude_mirror_blobs")).map((path) => [path, ""])),
  };
  return { transcript, trees };
}

function write(home: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    const file = join(home, "project", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
}

/** Sources and a binary are not installed alike: of what doctor says of the installation only the configs are the same. */
function comparable(result: Record<string, unknown>): Record<string, unknown> {
  const { installation } = result as { readonly installation?: readonly { readonly name: string }[] };
  if (installation === undefined) return result;
  return { ...result, installation: installation.filter(({ name }) => name.startsWith("config ")) };
}

function urlOf({ flags }: Remote): string {
  return flags[flags.indexOf("--webdav-url") + 1] ?? "";
}

async function run(
  runtime: RuntimeName,
  home: string,
  words: readonly string[],
): Promise<{ readonly code: number; readonly result: Record<string, unknown> }> {
  const { argv, env } = runtimes[runtime];
  const cwd = join(home, "project");
  mkdirSync(cwd, { recursive: true });
  const child = Bun.spawn([...argv, ...words, "--json"], {
    cwd,
    env: { HOME: home, ...env },
    stdin: Buffer.from(`${APACHE_USER.password}\n`),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const code = await child.exited;
  try {
    return { code, result: JSON.parse(stdout).result };
  } catch {
    throw new Error(`${runtime}: ${words.join(" ")} exits ${code} without JSON: ${stdout}${stderr}`);
  }
}

/** Places by their names, times and versions by their kind. */
function masked(json: string, places: Readonly<Record<string, string>>): string {
  let text = json;
  for (const [place, name] of Object.entries(places)) if (place !== "") text = text.replaceAll(place, name);
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ/g, "SNAPSHOT")
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00/g, "TIME")
    .replace(/"remote_hash":"[^"]+"/g, '"remote_hash":"VERSION"');
}
