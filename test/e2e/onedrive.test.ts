import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type FakeOneDrive, startFakeOneDrive } from "../fakes/onedrive/server.ts";
import { compiledBinary } from "../support/binary.ts";
import { selfSigned } from "../support/certificate.ts";
import { tempFolder } from "../support/temp.ts";
import { userFiles } from "../support/tree.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(120_000);

const ROOT = join(import.meta.dir, "../..");
const FOLDER = "claude-mirror/notes";

let fake: FakeOneDrive;
let env: Record<string, string>;
let runtimes: Readonly<Record<string, { readonly argv: readonly string[]; readonly env: Record<string, string> }>>;

beforeAll(async () => {
  const tls = selfSigned();
  fake = await startFakeOneDrive({
    tls: { key: readFileSync(tls.key, "utf8"), cert: readFileSync(tls.certificate, "utf8") },
  });
  const origin = fake.origin.replace("127.0.0.1", "localhost");
  env = {
    NODE_EXTRA_CA_CERTS: tls.certificate,
    CLAUDE_MIRROR_ENDPOINT_ONEDRIVE_API: origin,
    CLAUDE_MIRROR_ENDPOINT_ONEDRIVE_AUTH: origin,
    CLAUDE_MIRROR_ENDPOINT_ONEDRIVE_UPLOAD: origin,
  };
  const deno = join(ROOT, "node_modules/.bin/deno");
  runtimes = {
    "the binary": { argv: [await compiledBinary()], env: {} },
    Deno: {
      argv: [deno, "run", "--quiet", "--no-prompt", "-A", join(ROOT, "src/main.ts")],
      env: {
        DENO_DIR: tempFolder("deno"),
        DENO_NO_UPDATE_CHECK: "1",
        PATH: process.env["PATH"] ?? "",
      },
    },
  };
});
afterAll(() => fake.stop());

/** A home with one project, and the program there. */
function home(runtime: string, name = "notes") {
  const folder = tempFolder("onedrive");
  const project = join(folder, name);
  mkdirSync(project);
  const chosen = runtimes[runtime] ?? expect.unreachable();
  const run = async (words: readonly string[], more: Record<string, string> = {}) => {
    const child = Bun.spawn([...chosen.argv, ...words], {
      env: { HOME: folder, ...chosen.env, ...env, ...more },
      cwd: project,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    return { code: await child.exited, stdout, stderr };
  };
  return {
    folder,
    project,
    token: join(folder, `.config/claude_mirror/onedrive-${name}-token.json`),
    run,
    async ok(...words: string[]) {
      const ended = await run(words);
      if (ended.code !== 0) throw new Error(`${words.join(" ")} exits ${ended.code}: ${ended.stdout}${ended.stderr}`);
      return ended;
    },
    write(path: string, content: string | Uint8Array) {
      mkdirSync(dirname(join(project, path)), { recursive: true });
      writeFileSync(join(project, path), content);
    },
  };
}

const signUp = (id: string) => ["init", "--onedrive-client-id", id, "--onedrive-folder", FOLDER, "--patterns", "**/*"];

describe.each(["the binary", "Deno"])("OneDrive with %s, over TLS with an authority of one's own", (runtime) => {
  test("sign in, push, pull elsewhere, change, delete, restore", async () => {
    const anna = home(runtime);
    await anna.ok(...signUp(fake.identity.clientId));
    const signed = await anna.ok("auth");
    expect(signed.stdout + signed.stderr).toContain("https://microsoft.com/devicelogin");
    expect(signed.stdout + signed.stderr).toContain("ABCD2345");
    expect(statSync(anna.token).mode & 0o777).toBe(0o600);
    anna.write("a #1 50%.md", "one\n");
    anna.write("docs/b.md", "b\n");
    anna.write("big.bin", new Uint8Array(5_300_000).fill(3));
    await anna.ok("push");

    const bert = home(runtime);
    await bert.ok(...signUp(fake.identity.clientId));
    await bert.ok("auth");
    await bert.ok("pull");
    expect(userFiles(bert.project)).toEqual(userFiles(anna.project));
    bert.write("docs/b.md", "b by bert\n");
    rmSync(join(bert.project, "a #1 50%.md"));
    await bert.ok("sync");
    fake.identity.expireAccess();
    await anna.ok("sync");
    expect(userFiles(anna.project)).toEqual(userFiles(bert.project));
    const { stdout } = await anna.ok("snapshots", "--json");
    const oldest = (JSON.parse(stdout) as { result: { timestamp: string }[] }).result.at(-1)?.timestamp ?? "";
    await anna.ok("restore", oldest, "--output", join(anna.folder, "old"));
    expect(readFileSync(join(anna.folder, "old/a #1 50%.md"), "utf8")).toBe("one\n");
    const doctor = await anna.run(["doctor"]);
    expect(`${doctor.code} ${doctor.stdout}`).toContain("alice@outlook.example");
    for (const item of fake.drive.children(fake.drive.root)) fake.drive.remove(item.id);
  });
});

test("OneDrive without the authority: the certificate is what is told, and nothing is taken for absent", async () => {
  const anna = home("the binary");
  await anna.ok(...signUp(fake.identity.clientId));
  await anna.ok("auth");
  const { code, stderr } = await anna.run(["status"], { NODE_EXTRA_CA_CERTS: "" });
  expect([code === 0, stderr]).toEqual([false, expect.stringContaining("certificate")]);
});

test("OneDrive that nobody is signed in to: auth is what is told, by every command and by doctor", async () => {
  const anna = home("the binary");
  await anna.ok(...signUp(fake.identity.clientId));
  for (const words of [["status"], ["push"], ["doctor"]]) {
    const { code, stdout, stderr } = await anna.run(words);
    expect([code === 0, stdout + stderr]).toEqual([false, expect.stringContaining("claude-mirror auth")]);
  }
  expect(existsSync(anna.token)).toBe(false);
});

test("OneDrive whose sign-in Microsoft has ended: exit 6, AADSTS50058 and auth; the old token stays", async () => {
  const anna = home("the binary");
  await anna.ok(...signUp(fake.identity.clientId));
  await anna.ok("auth");
  const before = readFileSync(anna.token, "utf8");
  const other = await startFakeOneDrive();
  try {
    other.identity.revoke(50058);
    const there = {
      CLAUDE_MIRROR_ENDPOINT_ONEDRIVE_API: other.origin,
      CLAUDE_MIRROR_ENDPOINT_ONEDRIVE_AUTH: other.origin,
    };
    for (const words of [["status"], ["doctor"]]) {
      const { code, stdout, stderr } = await anna.run(words, there);
      expect([words[0] === "status" ? code : 6, stdout + stderr]).toEqual([6, expect.stringContaining("AADSTS50058")]);
      expect(stdout + stderr).toContain("claude-mirror auth");
    }
    expect(readFileSync(anna.token, "utf8")).toBe(before);
  } finally {
    await other.stop();
  }
});

test("docs/onedrive.md: every command of the page works as it stands there", async () => {
  const page = readFileSync(join(ROOT, "docs/onedrive.md"), "utf8");
  const anna = home("the binary", "my-project");
  anna.write("CLAUDE.md", "# Mine\n");
  const commands = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = ""]) =>
    block.trim().split("\n"),
  );
  expect(commands.length).toBeGreaterThan(4);
  for (const command of commands) {
    const words = command
      .replace("CLIENT-ID", fake.identity.clientId)
      .replace("~/", `${anna.folder}/`)
      .split(" ")
      .slice(1);
    await anna.ok(...words);
    if (words[0] === "auth")
      expect(existsSync(join(anna.folder, ".config/claude_mirror/onedrive-my-project-token.json"))).toBe(true);
  }
  expect(fake.drive.find(fake.drive.root, "claude-mirror/my-project/CLAUDE.md")).toBeDefined();
});
