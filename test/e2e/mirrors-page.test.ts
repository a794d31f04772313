import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { adviceFor } from "../../src/project/mirrors/reaction.ts";
import { SEED_KEYS, seedDefaults } from "../../src/settings/config-keys.ts";
import type { ItemError } from "../../src/sync/model.ts";
import { APACHE_USER, startApache } from "../support/apache.ts";
import { selfSigned } from "../support/certificate.ts";
import { ALICE } from "../support/machine.ts";
import { commandsOf, readPage, somePlace } from "../support/pages.ts";
import { userFiles } from "../support/tree.ts";
import { giveToServer } from "../support/webdav-setup.ts";

setDefaultTimeout(60_000);

const PAGE = "docs/mirrors.md";
const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops) await stop();
});

test("docs/mirrors.md: every command of it does what it says, in this order", async () => {
  const tls = selfSigned();
  const server = await startApache({ auth: "basic", tls });
  stops.push(() => server.stop());
  for (const folder of ["cloud", "other"]) mkdirSync(join(server.root, folder));
  giveToServer(server.root);
  const password = { CLAUDE_MIRROR_WEBDAV_PASSWORD: APACHE_USER.password };
  const place = await somePlace({ NODE_EXTRA_CA_CERTS: tls.certificate, ...password });
  const placeholders = {
    "https://cloud.example/remote.php/dav/files/ada": `${server.origin}/dav/cloud`,
    "https://other.example/dav": `${server.origin}/dav/other`,
    "--webdav-username ada": `--webdav-username ${APACHE_USER.username}`,
    "/media/usb": join(place.home, "usb"),
  };
  const lines = commandsOf(PAGE);
  for (const placeholder of Object.keys(placeholders)) expect(lines.join("\n")).toContain(placeholder);
  const remotes = ["cloud", "other"].map((name) => join(server.root, name, "my-project"));
  for (const line of lines) {
    if (line === "claude-mirror doctor") listMirrors(place.home);
    const said = place.run(line, placeholders);
    if (line.endsWith("--pending")) expect(said).toContain("Every mirror has all");
  }
  const [cloud = "", other = ""] = remotes;
  const files = userFiles(place.project);
  expect(userFiles(other)).toEqual(files);
  expect(userFiles(join(place.home, "usb/my-project"))).toEqual(files);
  expect(userFiles(cloud)).toMatchObject(files);
  expect(place.run("claude-mirror find-config")).toContain("my-project-other.yaml");
});

/** Does what the page says to do in an editor. */
function listMirrors(home: string): void {
  const file = join(home, ".config/claude_mirror/my-project.yaml");
  const [, list = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(readPage(PAGE)) ?? [];
  const text = readFileSync(file, "utf8");
  expect(text).toContain("mirror_config_paths: []\n");
  writeFileSync(file, text.replace("mirror_config_paths: []\n", list));
}

test("docs/mirrors.md: the failure table names every class and the advice that is shown", () => {
  const rows = new Map(
    [...readPage(PAGE).matchAll(/^\| `([A-Z_]+)` \|(.*)\|$/gm)].map(([, name = "", row = ""]) => [name, row]),
  );
  const classes: ItemError["class"][] = [
    "TRANSIENT",
    "AUTH",
    "QUOTA",
    "PERMISSION",
    "FILE_REJECTED",
    "UNKNOWN",
    "STALE",
  ];
  expect([...rows.keys()]).toEqual(classes);
  for (const kind of classes) {
    const advice = adviceFor({ class: kind, message: "" }, { name: "NAME", file: "FILE" });
    if (advice !== null) expect([kind, rows.get(kind)]).toEqual([kind, expect.stringContaining(advice)]);
  }
});

test("docs/mirrors.md: the settings are keys of the config with these defaults", () => {
  const rows = [...readPage(PAGE).matchAll(/^\| `([a-z_]+)` \| `([^`]*)` \|/gm)].map(
    ([, key = "", value = ""]) => [key, value] as const,
  );
  expect(rows.map(([key]) => key)).toEqual([
    "mirror_config_paths",
    "snapshot_on",
    "retry_on_push",
    "max_retry_attempts",
    "notify_failures",
  ]);
  const defaults: Readonly<Record<string, unknown>> = seedDefaults(ALICE);
  for (const [key, value] of rows) {
    expect(SEED_KEYS as readonly string[]).toContain(key);
    expect([key, JSON.stringify(defaults[key]).replaceAll('"', "'")]).toEqual([key, value]);
  }
});
