import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type OwnMachine, ownMachine } from "../support/own-machine.ts";
import { REMOTE_KINDS, type RemoteKind, type RemotePlace } from "../support/remote-place.ts";
import { digest, filesBelow } from "../support/tree.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

for (const kind of REMOTE_KINDS.slice(0, 2)) describe(`verify on ${kind.name}`, () => cases(kind));

function cases(kind: RemoteKind): void {
  let remote: Awaited<ReturnType<RemoteKind["start"]>>;
  let place: RemotePlace;
  let machine: OwnMachine;
  beforeAll(async () => {
    remote = await kind.start();
    place = remote.place();
    machine = await ownMachine("anna", place);
    for (const text of ["one\n", "two, longer\n"]) {
      machine.write("a.md", text);
      machine.write("sub/b.md", "same\n");
      expect((await machine.run(["push"])).code).toBe(0);
    }
  });
  afterAll(() => remote.stop());

  const blob = (text: string): string => {
    const sha256 = digest(Buffer.from(text));
    return `_claude_mirror_blobs/${sha256.slice(0, 2)}/${sha256}`;
  };

  test("verify: exits 0 where all is whole, in the shape that the Python tool prints", async () => {
    const { code, stdout } = await machine.run(["verify", "--json"]);
    expect(code).toBe(0);
    const { version, command, result } = JSON.parse(stdout);
    expect([version, command]).toEqual([1, "verify"]);
    expect(result.checked_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
    const backend = place.settings["backend"];
    expect(result.phases[1]).toEqual({
      backend,
      name: "blobs",
      checked: 3,
      verified: 3,
      drift: 0,
      missing: 0,
      corrupted: 0,
      unverified: 0,
      failed: 0,
    });
    expect(result).toMatchObject({ drift: [], corrupted: [], missing: [] });
    expect((await machine.run(["verify", "--strict"])).stdout).toContain("No damage found.");
  });

  test("verify: a changed live file is drift, which counts with --strict alone", async () => {
    place.put("sub/b.md", "edited there\n");
    expect((await machine.run(["verify"])).code).toBe(0);
    const strict = await machine.run(["verify", "--strict"]);
    expect([strict.code, strict.stdout.includes("drift sub/b.md")]).toEqual([1, true]);
    expect((await machine.run(["verify", "--strict", "--no-files"])).code).toBe(0);
    expect((await machine.run(["verify", "--no-files", "--no-snapshots"])).code).toBe(2);
    expect((await machine.run(["verify", "--backend", "dropbox"])).code).toBe(2);
    expect((await machine.run(["pull"])).code).toBe(0);
  });

  test("verify: damage exits 1 and names the files; --repair heals what is left somewhere and exits 1 for the rest", async () => {
    place.put(blob("two, longer\n"), "two, longes\n");
    place.put(blob("same\n"), "");
    place.remove(blob("one\n"));
    const found = await machine.run(["verify", "--json"]);
    expect(found.code).toBe(1);
    expect(found.json.corrupted.map(({ path }) => path).sort()).toEqual([blob("two, longer\n"), blob("same\n")].sort());
    expect(found.json.missing).toMatchObject([{ path: blob("one\n"), files: ["a.md"] }]);
    const dry = await machine.run(["verify", "--repair", "--dry-run"]);
    expect([dry.code, dry.stdout.includes("Dry run: nothing was repaired, 1 can be.")]).toEqual([1, true]);
    const before = readFileSync(join(place.folder, blob("same\n")), "utf8");
    const { code, json } = await machine.run(["verify", "--repair", "--json"]);
    expect(code).toBe(1);
    expect(json.repair.repaired.map(({ path }) => path)).toEqual([blob("two, longer\n")]);
    expect(json.repair.no_source.map(({ path }) => path).sort()).toEqual([blob("one\n"), blob("same\n")].sort());
    expect(readFileSync(join(place.folder, blob("same\n")), "utf8")).toBe(before);
    expect(readFileSync(join(place.folder, blob("two, longer\n")), "utf8")).toBe("two, longer\n");
    machine.write("old a.md", "one\n");
    machine.write("old b.md", "same\n");
    const again = await machine.run(["verify", "--repair"]);
    expect([again.code, again.stdout.includes("All damage is repaired.")]).toEqual([0, true]);
    expect((await machine.run(["verify", "--strict"])).code).toBe(0);
    for (const path of ["old a.md", "old b.md"]) machine.remove(path);
  });

  test("verify: what cannot be read now exits 3, and another machine sees the same", async () => {
    const bert = await ownMachine("bert", place);
    expect((await bert.run(["verify", "--json"])).json.phases.map(({ verified }) => verified)).toEqual([2, 3, 0, 0]);
    if (kind.name !== "a local folder") return;
    rmSync(join(place.folder, blob("one\n")));
    // A folder in the place of the file can neither be read nor called missing.
    place.put(`${blob("one\n")}/x`, "x");
    const { code, stdout } = await machine.run(["verify"]);
    expect([code, stdout]).toEqual([3, expect.stringContaining("could not be read")]);
    expect(filesBelow(place.folder)).toContain(`${blob("one\n")}/x`);
  });
}
