import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeDrive, startFakeDrive } from "../fakes/googledrive/server.ts";
import { FOLDER } from "../fakes/googledrive/store.ts";
import { type FakePubsub, startFakePubsub } from "../fakes/pubsub/server.ts";
import { compiledBinary } from "../support/binary.ts";
import { selfSigned } from "../support/certificate.ts";
import { credentialsJson, driveEnv, OWNER } from "../support/googledrive.ts";
import { commandsOf, ROOT } from "../support/pages.ts";
import { tempFolder } from "../support/temp.ts";
import { userFiles } from "../support/tree.ts";

setDefaultTimeout(60_000);

const PAGE = "docs/google-drive.md";
let fake: FakeDrive;
let pubsub: FakePubsub;
let certificate: string;
let browser: string;
/** How each runtime is started, and what it needs besides HOME. */
let runtimes: Readonly<Record<string, { readonly argv: readonly string[]; readonly env: Record<string, string> }>>;

beforeAll(async () => {
  const tls = selfSigned();
  certificate = tls.certificate;
  const served = { key: readFileSync(tls.key, "utf8"), cert: readFileSync(tls.certificate, "utf8"), host: "localhost" };
  fake = await startFakeDrive({ tls: served });
  pubsub = await startFakePubsub({ userOf: (token) => fake.oauth.userOf(token), tls: served });
  pubsub.projects.add("my-gcp-project");
  const folder = tempFolder("browser");
  browser = join(folder, "browser");
  writeFileSync(browser, '#!/bin/sh\nexec curl -ksL -o /dev/null "$1"\n', { mode: 0o755 });
  const deno = join(ROOT, "node_modules/.bin/deno");
  runtimes = {
    "the binary": { argv: [await compiledBinary()], env: {} },
    Deno: {
      argv: [deno, "run", "--quiet", "--no-prompt", "-A", join(ROOT, "src/main.ts")],
      env: { DENO_DIR: tempFolder("deno"), DENO_NO_UPDATE_CHECK: "1" },
    },
  };
});
afterAll(async () => {
  await fake.stop();
  await pubsub.stop();
});

interface Place {
  readonly project: string;
  readonly token: string;
  run(words: readonly string[]): Promise<string>;
}

/** A person's machine with the client file where the page puts it. */
function somePlace(runtime: string): Place {
  const home = tempFolder("drive-person");
  const project = join(home, "my-project");
  const config = join(home, ".config/claude_mirror");
  for (const folder of [project, config]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(config, "work-credentials.json"), credentialsJson());
  const { argv = [], env = {} } = runtimes[runtime] ?? {};
  return {
    project,
    token: join(config, "work-token.json"),
    async run(words) {
      const child = Bun.spawn([...argv, ...words.map((word) => word.replace(/^~/, home))], {
        cwd: project,
        env: {
          ...{ HOME: home, PATH: process.env["PATH"] ?? "", BROWSER: browser, NODE_EXTRA_CA_CERTS: certificate },
          ...driveEnv(fake),
          CLAUDE_MIRROR_ENDPOINT_GOOGLEDRIVE_NOTIFY: pubsub.origin,
          ...env,
        },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
      const code = await child.exited;
      expect({ words, code, said: code === 0 ? "" : out + err }).toEqual({ words, code: 0, said: "" });
      return out + err;
    },
  };
}

test.each(["the binary", "Deno"])(
  "docs/google-drive.md: every command does what it says, by %s, over TLS of a private authority",
  async (runtime) => {
    const root = fake.store.create(OWNER, { name: "project", mimeType: FOLDER }, undefined).id;
    const place = somePlace(runtime);
    const body = Buffer.alloc(6_000_000, "large");
    writeFileSync(join(place.project, "CLAUDE.md"), "# My project\n");
    writeFileSync(join(place.project, "large.md"), body);
    const lines = commandsOf(PAGE);
    let withTopic = false;
    expect(lines).toHaveLength(6);
    for (const line of lines) {
      const said = await place.run(
        line.replace("1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OhBlt", root).split(/\s+/).slice(1),
      );
      if (line === "claude-mirror auth") expect(said).toContain(`Signed in as ${OWNER}`);
      if (line.includes("--pubsub-topic-id")) withTopic = true;
      else if (withTopic)
        expect(said).toMatch(/Pub\/Sub subscription: claude-mirror-my-project-.*-[0-9a-f]{8}, just made/);
    }
    expect(statSync(place.token).mode & 0o777).toBe(0o600);
    const second = somePlace(runtime);
    for (const line of lines.slice(0, 2)) {
      await second.run(line.replace("1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OhBlt", root).split(/\s+/).slice(1));
    }
    await second.run(["pull"]);
    expect(userFiles(second.project)).toEqual(userFiles(place.project));
    expect(await second.run(["doctor"])).not.toContain("failed");
    expect(JSON.parse(await place.run(["status", "--json"])).result.summary).toMatchObject({ in_sync: 2 });
  },
);
