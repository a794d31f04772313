import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../../src/settings/codec.ts";
import { SEED_KEYS, seedDefaults } from "../../../src/settings/config-keys.ts";
import { formatNewConfig } from "../../../src/settings/writer.ts";
import { ALICE } from "../../support/machine.ts";

const GOLDEN = readFileSync(join(import.meta.dir, "../../fixtures/claude-mirror-0.5.31/config/myproject.yaml"), "utf8");

const GIVEN = { backend: "webdav", project_path: "/home/alice/work/myproject" };

test("formatNewConfig: the file that 0.5.31 wrote, byte for byte", () => {
  const config = parseConfig(GOLDEN, "/x.yaml", ALICE);
  const text = formatNewConfig(
    {
      backend: config.backend,
      project_path: config.projectPath,
      exclude_patterns: config.excludePatterns,
      token_file: config.tokenFile,
      webdav_insecure_http: config.webdavInsecureHttp,
      webdav_password: config.webdavPassword,
      webdav_url: config.webdavUrl,
      webdav_username: config.webdavUsername,
    },
    ALICE,
  );
  expect(text).toBe(GOLDEN);
});

test("formatNewConfig: exactly the 30 keys of the seed, sorted, whatever of ours has its default", () => {
  const text = formatNewConfig(
    { ...GIVEN, local_folder: "/m", auto_prune: false, onedrive_authority: "common" },
    ALICE,
  );
  const keys = text.match(/^\w+(?=:)/gm) ?? [];
  expect(keys).toEqual([...SEED_KEYS]);
  expect(Object.keys(seedDefaults(ALICE)).sort()).toEqual([...SEED_KEYS]);
  expect(keys.length).toBe(30);
});

test("formatNewConfig: keys of ours that say something are written in their place", () => {
  const text = formatNewConfig(
    { backend: "local", project_path: "/p", local_folder: "/mnt/nas", auto_prune: true },
    ALICE,
  );
  expect(text).toStartWith("auto_prune: true\nbackend: local\n");
  expect(text).toContain("gcp_project_id: ''\nlocal_folder: /mnt/nas\nmachine_name: workstation\n");
});

test("formatNewConfig: what it writes is read back as it was given", () => {
  const values = {
    ...GIVEN,
    user: "yes",
    machine_name: 'naïve – "box" 12',
    webdav_url: "https://h/a b?c=d#e",
    slack_channel: "#claude: mirror",
    file_patterns: ["**/*.md", "- x", "a\tb", "", "*"],
    exclude_patterns: ["x ".repeat(80), "null", "1:30"],
  };
  const config = parseConfig(formatNewConfig(values, ALICE), "/x.yaml", ALICE);
  expect(config).toMatchObject({
    user: values.user,
    machineName: values.machine_name,
    webdavUrl: values.webdav_url,
    slackChannel: values.slack_channel,
    filePatterns: values.file_patterns,
    excludePatterns: values.exclude_patterns,
    snapshotFormat: "blobs",
    warnings: [],
  });
});
