import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FakeDropbox } from "../fakes/dropbox.ts";
import { compiledBinary } from "../support/binary.ts";
import { selfSigned } from "../support/certificate.ts";
import { dropboxPlace } from "../support/dropbox-place.ts";
import { type OwnMachine, ownMachine } from "../support/own-machine.ts";
import { seededRandom } from "../support/random.ts";
import { tempFolder } from "../support/temp.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

const ROOT = join(import.meta.dir, "../..");
const { certificate, key } = selfSigned();
let fake: FakeDropbox;
let secure: FakeDropbox;

beforeAll(async () => {
  [fake, secure] = await Promise.all([FakeDropbox.start(), FakeDropbox.start({ tls: { certificate, key } })]);
});
afterAll(async () => {
  await Promise.all([fake.stop(), secure.stop()]);
});

async function ok(machine: OwnMachine, ...words: string[]) {
  const run = await machine.run([...words, "--json"]);
  if (run.code !== 0) throw new Error(`${words.join(" ")} exits ${run.code}: ${run.stdout}${run.stderr}`);
  return run.json;
}

/** The same command line under Deno, in the machine's home and project. */
async function underDeno(machine: OwnMachine, env: Record<string, string>, ...words: string[]) {
  const deno = join(ROOT, "node_modules/.bin/deno");
  const child = Bun.spawn(
    [deno, "run", "--quiet", "--no-prompt", "-A", join(ROOT, "src/main.ts"), ...words, "--json"],
    {
      cwd: machine.project,
      env: {
        HOME: machine.home,
        PATH: process.env["PATH"] ?? "",
        DENO_DIR: tempFolder("deno"),
        DENO_NO_UPDATE_CHECK: "1",
        ...env,
      },
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, stdout, stderr };
}

describe("Dropbox over TLS with an authority of one's own", () => {
  test("main: the binary and Deno make a round trip with the vendor's library, in both directions", async () => {
    const place = dropboxPlace(secure);
    const env = { ...place.env, NODE_EXTRA_CA_CERTS: certificate };
    const trusting = { ...place, env };
    const anna = await ownMachine("anna", trusting);
    const bert = await ownMachine("bert", trusting);
    for (let i = 0; i < 5; i++) anna.write(`notes/${i}.md`, `note ${i}\n`);
    anna.write("ünï & 100%.md", "odd\n");
    expect((await ok(anna, "push")).uploaded).toHaveLength(6);
    const pulled = await underDeno(bert, env, "pull");
    expect(pulled.stderr).toBe("");
    expect(pulled.code).toBe(0);
    expect(bert.files()).toEqual(anna.files());
    for (let i = 0; i < 5; i++) bert.write(`notes/${i}.md`, `changed ${i}\n`);
    bert.remove("ünï & 100%.md");
    const pushed = await underDeno(bert, env, "push");
    expect(pushed.code).toBe(0);
    await ok(anna, "pull");
    expect(anna.files()).toEqual(bert.files());
  });

  test("main: without that authority the certificate is what is wrong", async () => {
    const machine = await ownMachine("carl", dropboxPlace(secure));
    const run = await machine.run(["status"]);
    expect(run.code).toBe(1);
    expect(run.stderr).toContain("NODE_EXTRA_CA_CERTS");
  });
});

describe("Dropbox with the program as built", () => {
  test("auth: a person follows the address, types the code, and everything works from then on", async () => {
    const machine = await ownMachine("anna", { ...dropboxPlace(fake), token: undefined });
    const terminal = machine.terminal(["auth"]);
    await terminal.waitFor("Code from Dropbox");
    const address = /http:\/\/127\.0\.0\.1:\S+/.exec(terminal.shown())?.[0] ?? "";
    terminal.type(`${fake.consent(address)}\r`);
    expect(await terminal.exited).toBe(0);
    expect(terminal.shown()).toContain("as ada@example.com to dropbox://");
    machine.write("a.md", "a\n");
    expect((await ok(machine, "push")).uploaded).toEqual(["a.md"]);
    expect((await ok(machine, "status")).summary).toMatchObject({ in_sync: 1 });
  });

  test("snapshots: every version is kept, listed, and comes back byte by byte", async () => {
    const place = dropboxPlace(fake);
    const machine = await ownMachine("anna", place);
    machine.write("note.md", "one\n");
    machine.write("kept.md", "kept\n");
    await ok(machine, "push");
    machine.write("note.md", "two\n");
    const { snapshot } = await ok(machine, "push");
    expect(snapshot).not.toBeNull();
    const { versions } = await ok(machine, "history", "note.md");
    expect(versions).toHaveLength(2);
    const other = await ownMachine("bert", place);
    const older = versions.at(-1)?.timestamp ?? "";
    const output = tempFolder("restored");
    await ok(other, "restore", older, "--output", output);
    expect(readFileSync(join(output, "note.md"), "utf8")).toBe("one\n");
    expect(readFileSync(join(output, "kept.md"), "utf8")).toBe("kept\n");
    await ok(machine, "forget", "--keep-last", "1", "--delete", "--yes");
    await ok(machine, "gc", "--grace", "0", "--delete", "--yes");
    expect((await ok(machine, "verify")).corrupted).toEqual([]);
  });

  test("push: killed in the middle of a large file, the next one sends the rest only", async () => {
    const place = dropboxPlace(fake);
    const machine = await ownMachine("anna", place);
    const bytes = seededRandom(9).bytes(36 * 1024 * 1024);
    machine.write("large.bin", bytes);
    const binary = await compiledBinary();
    const child = Bun.spawn([binary, "push"], {
      cwd: machine.project,
      env: { HOME: machine.home, ...place.env },
      stdout: "ignore",
      stderr: "ignore",
    });
    let appends = 0;
    fake.onRequest = (endpoint) => {
      if (endpoint === "files/upload_session/append_v2" && ++appends === 3) child.kill("SIGKILL");
    };
    await child.exited;
    fake.onRequest = undefined;
    expect(child.signalCode).toBe("SIGKILL");
    fake.reset();
    await ok(machine, "push");
    expect(fake.count("files/upload_session/start")).toBe(0);
    expect(fake.count("files/upload_session/append_v2")).toBeLessThanOrEqual(3);
    const entry = fake.tree.get(`${place.settings["dropbox_folder"]}/large.bin`);
    expect(entry?.is === "file" && Buffer.compare(entry.bytes, bytes)).toBe(0);
    expect((await ok(machine, "status")).summary).toMatchObject({ in_sync: 1 });
  });

  test("push: a token that runs out, throttling and lost answers in one run do not show", async () => {
    const place = dropboxPlace(fake);
    const machine = await ownMachine("anna", place);
    for (let i = 0; i < 30; i++) machine.write(`${i}.md`, `file ${i}\n`);
    fake.expireAccessTokens();
    fake.fail("files/upload_session/append_batch", { status: 429, text: "slow", headers: { "Retry-After": "1" } });
    fake.fail("files/upload_session/finish_batch_v2", { cut: "after" }, { status: 500, text: "oops" });
    fake.fail("files/upload", { cut: "after" });
    expect((await ok(machine, "push")).uploaded).toHaveLength(30);
    fake.reset();
    expect((await ok(machine, "push")).uploaded).toEqual([]);
    expect(fake.total()).toBe(1);
  });
});
