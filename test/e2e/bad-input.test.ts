import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { startApache } from "../support/apache.ts";
import { compiledBinary } from "../support/binary.ts";
import { expiredCertificate, selfSigned } from "../support/certificate.ts";
import type { OwnMachine } from "../support/own-machine.ts";
import {
  done,
  expectClean,
  expectRefusal,
  giveToNobody,
  inSync,
  onWebdav,
  PASSWORD,
  runAsNobody,
} from "../support/refusal.ts";
import { freePort, type TestServer } from "../support/server-process.ts";
import { filesBelow } from "../support/tree.ts";

// The build of the program is part of the first test.
setDefaultTimeout(30_000);

let apache: TestServer;

beforeAll(async () => {
  [apache] = await Promise.all([startApache({ auth: "basic" }), compiledBinary()]);
});
afterAll(() => apache.stop());

const tokenFile = (machine: OwnMachine) => join(dirname(machine.config), "webdav-project-token.json");

describe("settings", () => {
  const broken: readonly (readonly [string, (good: string) => string | Uint8Array, readonly (string | RegExp)[]])[] = [
    ["an unclosed bracket", () => "project_path: [a, b\n", [/line [12]:/, "not closed"]],
    ["a tab", (good) => `${good}\tuser: me\n`, ["tab", "spaces"]],
    ["a list", () => "- a\n- b\n", ["line 1", "a list", "key: value"]],
    ["plain text", () => "hello\n", ["line 1", "plain text"]],
    ["nothing", () => "", ["empty", "claude-mirror init"]],
    ["a wrong type", (good) => `${good}parallel_workers: many\n`, ["line 10", '"parallel_workers" must be a number']],
    ["text for a list", (good) => good.replace(/file_patterns.*/, "file_patterns: a"), ["line 2", "must be a list"]],
    ["an unknown backend", (good) => good.replace('"local"', '"ftp"'), ["line 8", '"ftp" is not known']],
    ["bytes that are no text", () => Uint8Array.of(0xff, 0xfe, 0x00), ["UTF-8"]],
  ];

  test.each(broken)(
    "settings: %s in the YAML names file, line and remedy, with --config and without",
    async (_, spoil, says) => {
      const { machine, remote } = await inSync();
      writeFileSync(machine.config, spoil(readFileSync(machine.config, "utf8")));
      for (const words of [["push"], ["status", "--config", machine.config]])
        await expectRefusal(machine, remote, words, { code: 1, says: [machine.config, ...says] });
    },
  );

  test("settings: a YAML that is missing, a folder or not readable is named", async () => {
    const { machine, remote } = await inSync();
    giveToNobody(machine.home);
    const words = ["push", "--config", machine.config];
    chmodSync(machine.config, 0);
    await expectRefusal(machine, remote, words, { code: 1, says: [machine.config, "may not be read"], as: "nobody" });
    rmSync(machine.config);
    await expectRefusal(machine, remote, words, { code: 1, says: [machine.config, "no such file", "init"] });
    await expectRefusal(machine, remote, ["push"], {
      code: 2,
      says: ["no project is set up", machine.project, "init"],
    });
    mkdirSync(machine.config);
    await expectRefusal(machine, remote, words, { code: 1, says: [machine.config, "a folder"] });
  });

  test("settings: a broken YAML of another project hides nothing, and init never replaces one", async () => {
    const { machine, remote } = await inSync();
    const other = join(dirname(machine.config), "other.yaml");
    writeFileSync(other, "x: [1\n");
    await done(machine, "status");
    renameSync(other, machine.config);
    const words = ["init", "--local-folder", remote];
    await expectRefusal(machine, remote, words, { code: 1, says: [machine.config, "not closed"] });
    expect(readFileSync(machine.config, "utf8")).toBe("x: [1\n");
  });

  test("settings: an unknown key is told with its file and line, kept, and stops nothing", async () => {
    const { machine } = await inSync();
    const text = `${readFileSync(machine.config, "utf8")}colour: blue\n`;
    writeFileSync(machine.config, text);
    const { stderr } = await done(machine, "push");
    expect(stderr).toContain(`${machine.config}: line 10: the key "colour" is not known`);
    await done(machine, "init", "--exclude", "x/**");
    expect(readFileSync(machine.config, "utf8")).toContain("colour: blue\n");
  });

  test("settings: a relative project folder is told with its line", async () => {
    const { machine, remote } = await inSync();
    const good = readFileSync(machine.config, "utf8");
    writeFileSync(machine.config, good.replace(/project_path.*/, "project_path: here"));
    const says = [machine.config, "line 1", "relative", '"here"'];
    await expectRefusal(machine, remote, ["push", "--config", machine.config], { code: 1, says });
  });

  test("settings: two configs for one folder are both named", async () => {
    const { machine, remote } = await inSync();
    const second = join(dirname(machine.config), "second.yaml");
    writeFileSync(second, readFileSync(machine.config));
    for (const words of [["push"], ["status"], ["init", "--slack"]])
      await expectRefusal(machine, remote, words, { code: 2, says: [machine.config, second, "--config"] });
    await done(machine, "push", "--config", second);
  });

  test("HOME: a relative or missing one is never used, and the state folder may be read-only for a look", async () => {
    const { machine, remote } = await inSync();
    machine.write("new.md", "new\n");
    giveToNobody(machine.home);
    giveToNobody(remote);
    await expectRefusal(machine, remote, ["status"], {
      code: 2,
      says: ["home folder", "Set HOME to an absolute path"],
      options: { env: { HOME: "here" } },
    });
    expect(existsSync(join(machine.project, "here"))).toBe(false);
    const state = join(machine.home, ".local/state/claude-mirror");
    const folders = filesBelow(state).map((path) => dirname(join(state, path)));
    for (const folder of folders) chmodSync(folder, 0o555);
    const { code, stdout } = await runAsNobody(machine, ["status"]);
    expect({ code, new: stdout.includes("1 new local") }).toEqual({ code: 0, new: true });
    await expectRefusal(machine, remote, ["push"], {
      code: 1,
      says: [state, "permission denied", "owner"],
      as: "nobody",
    });
    for (const folder of folders) chmodSync(folder, 0o755);
    expect((await runAsNobody(machine, ["push"])).code).toBe(0);
  });
});

describe("signing in", () => {
  const commands = [
    "push",
    "pull",
    "sync",
    "status",
    "snapshots",
    "log",
    "auth --check",
    "diff CLAUDE.md",
    "history CLAUDE.md",
  ];

  test("never signed in: every command says the sentence of the seed", async () => {
    const machine = await onWebdav(`${apache.origin}/dav/none/`);
    for (const command of [...commands, "delete CLAUDE.md", "inspect x", "restore x --yes"]) {
      const said = await expectRefusal(machine, undefined, command.split(" "), { code: 6, says: [] });
      expect(said).toBe("Not authenticated. Run claude-mirror auth first.");
    }
    const says = ["password", "--webdav-password-stdin"];
    await expectRefusal(machine, undefined, ["auth"], { code: 2, says });
  });

  test("wrong password: the server, the remedy and app passwords are named, the password never", async () => {
    const machine = await onWebdav(`${apache.origin}/dav/none/`, PASSWORD);
    const says = [new URL(apache.origin).host, "does not accept", "claude-mirror auth", "app password"];
    for (const command of commands) await expectRefusal(machine, undefined, command.split(" "), { code: 6, says });
    const doctor = await machine.run(["doctor"]);
    expectClean(["doctor"], doctor.stdout + doctor.stderr);
    expect(doctor.code).toBe(6);
    const env = { CLAUDE_MIRROR_WEBDAV_PASSWORD: PASSWORD };
    await expectRefusal(machine, undefined, ["auth"], {
      code: 6,
      says: ["does not accept", "webdav_username"],
      options: { env },
    });
    const debug = await machine.run(["push"], { env: { CLAUDE_MIRROR_DEBUG: "1" } });
    expect(debug.stderr).toContain("    at ");
    expectClean(["push"], debug.stderr.replace(/^.*\$bunfs.*$|^ {4}at .*$/gm, ""));
  });

  test("token file: whatever is no token is named, never shown, and auth is the remedy", async () => {
    const machine = await onWebdav(`${apache.origin}/dav/none/`);
    for (const text of [PASSWORD, "", "[]", '{"username": "me"}', '{"password": 5}', `{"password": "${PASSWORD}`]) {
      writeFileSync(tokenFile(machine), text, { mode: 0o600 });
      const says = [tokenFile(machine), "no WebDAV token file", "claude-mirror auth"];
      await expectRefusal(machine, undefined, ["push"], { code: 6, says });
    }
  });

  test("addresses: http without leave, no address, a secret in it", async () => {
    const refused = async (url: string, says: readonly string[]) =>
      expectRefusal(await onWebdav(url, PASSWORD, { webdav_insecure_http: false }), undefined, ["push"], {
        code: 1,
        says,
      });
    await refused("http://nas.example/dav/", ["http://nas.example/dav/", "in the clear", "https://"]);
    await refused("", ["webdav_url", "not a web address", "https://"]);
    await refused("ftp://nas.example/", ["ftp://nas.example/", "not a web address"]);
    const machine = await onWebdav("http://nas.example/", PASSWORD);
    const words = ["init", "--webdav-url", `https://me:${PASSWORD}@nas.example/`];
    await expectRefusal(machine, undefined, words, { code: 2, says: ["a username or password stands in the address"] });
  });

  test("servers that cannot be reached: nothing listens, no such name, no https", async () => {
    const port = await freePort();
    const refused = async (url: string, says: readonly string[]) =>
      expectRefusal(await onWebdav(url, PASSWORD), undefined, ["push"], { code: 1, says });
    await refused(`http://127.0.0.1:${port}/`, [`"127.0.0.1:${port}" cannot be reached (ECONNREFUSED)`, "network"]);
    await refused("https://no-such-host.invalid/dav/", ['"no-such-host.invalid" is not known', "webdav_url"]);
    await refused(`${apache.origin.replace("http:", "https:")}/dav/`, ["does not speak https", "port"]);
  });

  test("certificates: self-signed, expired and of another host are told apart", async () => {
    const refused = async (
      tls: ReturnType<typeof selfSigned>,
      env: Record<string, string>,
      says: readonly string[],
    ) => {
      const [cert, key] = [readFileSync(tls.certificate, "utf8"), readFileSync(tls.key, "utf8")];
      const server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls: { cert, key }, fetch: () => new Response("") });
      const machine = await onWebdav(`https://localhost:${server.port}/dav/`, PASSWORD);
      await expectRefusal(machine, undefined, ["push"], {
        code: 1,
        says: [`localhost:${server.port}`, ...says],
        options: { env },
      });
      await server.stop(true);
    };
    const trusted = (tls: { readonly certificate: string }) => ({ NODE_EXTRA_CA_CERTS: tls.certificate });
    const [own, old, other] = [selfSigned(), expiredCertificate(), selfSigned("nas.example")];
    await refused(own, {}, ["is self-signed", "NODE_EXTRA_CA_CERTS"]);
    await refused(old, trusted(old), ["has expired", "renewed"]);
    await refused(other, trusted(other), ["is for another host name", "webdav_url"]);
  });
});

describe("words", () => {
  test("words: a wrong command, flag, value or question without a terminal exits 2 and names the right one", async () => {
    const { machine, remote } = await inSync();
    const wrong: readonly (readonly [string, readonly string[]])[] = [
      ["puhs", ['"puhs"', "Did you mean claude-mirror push?"]],
      ["push --dryrun", ["--dryrun", "Did you mean --dry-run?"]],
      ["push --allow all", ["mass-delete, empty-root, remote-gone", '"all"']],
      ["push --config", ["--config needs a value"]],
      ["sync --strategy mine", ["keep-local, keep-remote, keep-both, skip"]],
      ["log --limit many", ["--limit", "whole number", '"many"']],
      ["delete", ["delete needs FILES", "help delete"]],
      ["diff", ["diff needs"]],
      ["restore", ["restore needs the snapshot's name, or --tag"]],
      ["init --backend ftp", ['"ftp"', "local or webdav or googledrive"]],
    ];
    for (const [command, says] of wrong) await expectRefusal(machine, remote, command.split(" "), { code: 2, says });
    const [snapshot] = (await machine.run(["snapshots", "--json"])).rows;
    machine.write("CLAUDE.md", "edited\n");
    const { code, stderr } = await machine.run(["restore", String(snapshot?.["timestamp"])]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("--yes") });
    expect(machine.read("CLAUDE.md")).toBe("edited\n");
  });
});
