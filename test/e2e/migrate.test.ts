import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { OwnMachine } from "../support/own-machine.ts";
import { pythonProject } from "../support/python-project.ts";
import { REMOTE_KINDS, type RemoteKind, type RemotePlace } from "../support/remote-place.ts";
import { fingerprint, userFiles } from "../support/tree.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

for (const kind of REMOTE_KINDS.slice(0, 2)) {
  describe(`migrate-snapshots on ${kind.name}, of a project that the Python tool made`, () => cases(kind));
}

function cases(kind: RemoteKind): void {
  let remote: Awaited<ReturnType<RemoteKind["start"]>>;
  let place: RemotePlace;
  let machine: OwnMachine;
  /** Every snapshot's files as they were restored before anything was migrated. */
  let before: Readonly<Record<string, Readonly<Record<string, string>>>>;

  beforeAll(async () => {
    remote = await kind.start();
    place = remote.place();
    machine = await pythonProject({ version: "0.5.31", remote: "remote-full" }, place);
    appendFileSync(machine.config, "# kept: a comment of the user's\n");
    before = await everySnapshot("before");
  });
  afterAll(() => remote.stop());

  async function everySnapshot(label: string): Promise<typeof before> {
    const found: Record<string, Record<string, string>> = {};
    for (const { timestamp } of (await machine.run(["snapshots", "--json"])).rows) {
      const output = join(machine.home, label, String(timestamp));
      expect((await machine.run(["restore", String(timestamp), "--output", output])).code).toBe(0);
      found[String(timestamp)] = userFiles(output);
    }
    return found;
  }

  const formats = async () => {
    const { rows } = await machine.run(["snapshots", "--json"]);
    return rows.map(({ timestamp, format }) => `${timestamp} ${format}`);
  };
  const ALL = ["2026-11-20T17-40-26Z", "2026-11-20T17-39-59Z", "2026-11-20T17-39-57Z"];
  const manifests = () =>
    readdirSync(join(place.folder, "_claude_mirror_snapshots")).filter((name) => name.endsWith(".json"));

  test("migrate-snapshots: needs a format, and a dry run changes nothing", async () => {
    expect((await machine.run(["migrate-snapshots"])).code).toBe(2);
    expect((await machine.run(["migrate-snapshots", "--to", "zip"])).code).toBe(2);
    const still = [...fingerprint(place.folder), readFileSync(machine.config, "utf8")];
    const { code, stdout } = await machine.run(["migrate-snapshots", "--to", "blobs", "--dry-run"]);
    expect(code).toBe(0);
    expect(stdout).toContain("convert 2026-11-20T17-40-26Z");
    expect(stdout).toContain("Dry run: 1 snapshot would be made blobs, 2 had that format.");
    expect([...fingerprint(place.folder), readFileSync(machine.config, "utf8")]).toEqual(still);
  });

  test("data-loss case 1: migrated snapshots hold what they held, although every live file has changed since", async () => {
    for (const path of Object.keys(userFiles(place.folder))) place.put(path, `${path} of today\n`);
    const { code, json } = await machine.run(["migrate-snapshots", "--to", "blobs", "--no-update-config", "--json"]);
    expect(code).toBe(0);
    expect(json).toMatchObject({ converted: [ALL[0]], already: 2, failed: [], config_updated: false });
    expect(await formats()).toEqual(ALL.map((name) => `${name} blobs`));
    expect(existsSync(join(place.folder, "_claude_mirror_snapshots", ALL[0] as string))).toBe(false);
    expect(await everySnapshot("blobs")).toEqual(before);
    expect((await machine.run(["verify", "--no-files", "--strict"])).code).toBe(0);
  });

  test("migrate-snapshots: to full and back, the config follows and keeps its comments", async () => {
    const { code, json } = await machine.run(["migrate-snapshots", "--to", "full", "--json"]);
    expect([code, json.converted]).toEqual([0, [...ALL].reverse()]);
    expect(manifests()).toEqual([]);
    expect(readFileSync(machine.config, "utf8")).toContain("snapshot_format: full");
    expect(readFileSync(machine.config, "utf8")).toContain("# kept: a comment of the user's\n");
    expect(await everySnapshot("full")).toEqual(before);
    const still = fingerprint(place.folder);
    expect((await machine.run(["migrate-snapshots", "--to", "full"])).code).toBe(0);
    expect(fingerprint(place.folder)).toEqual(still);
    expect((await machine.run(["migrate-snapshots", "--to", "blobs", "--keep-source"])).code).toBe(0);
    expect(readFileSync(machine.config, "utf8")).toContain("snapshot_format: blobs");
    const again = await machine.run(["migrate-snapshots", "--to", "blobs", "--json"]);
    expect([again.code, again.json.cleaned]).toEqual([0, [...ALL].reverse()]);
    expect(await everySnapshot("blobs again")).toEqual(before);
  });

  test("migrate-snapshots: what cannot be converted exits 3, stays, and leaves the config as it is", async () => {
    const [name = ""] = ALL;
    const { files } = JSON.parse(
      readFileSync(join(place.folder, "_claude_mirror_snapshots", `${name}.json`), "utf8"),
    ) as { files: Record<string, string> };
    const own = Object.values(files).find((sha256) => sha256 !== undefined) as string;
    place.put(`_claude_mirror_blobs/${own.slice(0, 2)}/${own}`, "damaged");
    const { code, json } = await machine.run(["migrate-snapshots", "--to", "full", "--json"]);
    expect([code, json.config_updated]).toEqual([3, false]);
    expect(json.failed.length).toBeGreaterThan(0);
    expect(manifests()).toHaveLength(json.failed.length);
    expect(readFileSync(machine.config, "utf8")).toContain("snapshot_format: blobs");
  });
}
