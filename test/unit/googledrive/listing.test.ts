import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { BackendError } from "../../../src/backends/errors.ts";
import { googledrive } from "../../../src/backends/googledrive/index.ts";
import type { Backend } from "../../../src/backends/types.ts";
import { relPath } from "../../../src/lib/path.ts";
import { startFakeDrive } from "../../fakes/googledrive/server.ts";
import { DOCUMENT, FOLDER, SHORTCUT } from "../../fakes/googledrive/store.ts";
import { sourceOf, textAt } from "../../support/bodies.ts";
import { type DrivePlace, drivePlace } from "../../support/googledrive.ts";
import { tempFolder } from "../../support/temp.ts";

const clock = { ms: Date.parse("2026-11-20T10:00:00Z") };
const fake = await startFakeDrive({ now: () => clock.ms });
afterAll(() => fake.stop());
const base = tempFolder("drive-listing");
const ticking = { now: () => clock.ms, sleep: () => Promise.resolve() };

let user = "";
let place: DrivePlace;
let backend: Backend;
let accounts = 0;
beforeEach(async () => {
  user = `me-${++accounts}@example.com`;
  place = drivePlace(fake, base, { user, deps: { clock: ticking } });
  backend = await place.open();
  fake.reset();
});

function put(name: string, content: string, parent = place.root, who = user): string {
  clock.ms += 1000;
  return fake.store.create(who, { name, parents: [parent] }, Buffer.from(content)).id;
}
function folder(name: string, parent = place.root, who = user): string {
  clock.ms += 1000;
  return fake.store.create(who, { name, mimeType: FOLDER, parents: [parent] }, undefined).id;
}
async function shown(from: Backend = backend): Promise<string[]> {
  return (await from.list("")).files.map(({ path }) => path as string).sort();
}

describe("listing", () => {
  test("what was made elsewhere and moved here shows with all that is in it; moved away, it is gone", async () => {
    put("a.md", "a");
    const other = folder("other", fake.store.rootOf(user));
    const inner = folder("inner", other);
    put("b.md", "b", inner);
    expect(await shown()).toEqual(["a.md"]);
    fake.store.update(user, other, { addParents: place.root, removeParents: fake.store.rootOf(user) });
    expect(await shown()).toEqual(["a.md", "other/inner/b.md"]);
    fake.store.update(user, inner, { trashed: true });
    expect(await shown()).toEqual(["a.md"]);
    fake.store.update(user, inner, { trashed: false });
    expect(await shown()).toEqual(["a.md", "other/inner/b.md"]);
    fake.store.update(user, other, { removeParents: place.root, addParents: fake.store.rootOf(user) });
    expect(await shown()).toEqual(["a.md"]);
  });

  test("what a collaborator made in a shared folder counts like ours, in the first listing and later", async () => {
    const mate = `mate-${accounts}@example.com`;
    fake.store.share(place.root, mate, "writer");
    const docs = folder("docs");
    const theirs = folder("theirs", docs, mate);
    put("by-mate.md", "m", theirs, mate);
    put("mine.md", "o", theirs);
    expect(await shown()).toEqual(["docs/theirs/by-mate.md", "docs/theirs/mine.md"]);
    put("later.md", "l", theirs, mate);
    expect(await shown()).toEqual(["docs/theirs/by-mate.md", "docs/theirs/later.md", "docs/theirs/mine.md"]);
    const atMate = await place.other(mate).open();
    expect(await shown(atMate)).toEqual(["docs/theirs/by-mate.md", "docs/theirs/later.md", "docs/theirs/mine.md"]);
    await atMate.write(relPath("docs/new.md"), sourceOf("n"), { expect: "absent" });
    expect(await shown()).toContain("docs/new.md");
    await atMate.close();
  });

  test("a small project in a large Drive is walked, fifty folders a request, and the rest of the Drive is not kept", async () => {
    for (let i = 0; i < 6000; i++) put(`${i}.bin`, "x", fake.store.rootOf(user));
    for (let i = 0; i < 60; i++) put("x.md", "x", folder(`f${i}`));
    fake.reset();
    expect((await shown()).length).toBe(60);
    expect(fake.count("files.list")).toBeLessThanOrEqual(4 + 1 + 2);
  });

  test("documents, shortcuts and names that are no paths are named and held", async () => {
    for (const [name, mimeType] of [
      ["Plan", DOCUMENT],
      ["Link", SHORTCUT],
    ] as const) {
      fake.store.create(user, { name, mimeType, parents: [place.root] }, undefined);
    }
    put("a/b.md", "x");
    put("..", "x");
    put("ok.md", "x");
    const listing = await backend.list("");
    expect(listing.files.map(({ path }) => path as string)).toEqual(["ok.md"]);
    expect(listing.unusable.map(({ name }) => name).sort()).toEqual(["..", "Link", "Plan", "a/b.md"]);
    const taken = backend.write(relPath("Plan"), sourceOf("x"), { expect: "absent" });
    expect(await taken.catch((error: unknown) => error)).toMatchObject({ class: "FILE_REJECTED" });
  });

  test("an incomplete search, page tokens and cursors that are lost: everything is listed anew or not at all", async () => {
    put("a.md", "a");
    fake.incomplete = true;
    expect(await backend.list("").catch((error: unknown) => error)).toBeInstanceOf(BackendError);
    fake.incomplete = false;
    expect(await shown()).toEqual(["a.md"]);
    put("b.md", "b");
    fake.refuse("changes.list", { status: 400, reason: "invalid" });
    expect(await shown()).toEqual(["a.md", "b.md"]);
    for (let i = 0; i < 1200; i++) put(`many-${i}.md`, "x");
    const late = await place.other().open();
    fake.fault("files.list", { before: () => undefined });
    fake.fault("files.list", { before: () => fake.expirePages() });
    expect((await shown(late)).length).toBe(1202);
    await late.close();
  });

  test("a file that the first listing lacked, for it lagged behind, shows in the second, an hour later", async () => {
    fake.store.lagging = true;
    put("late.md", "x");
    expect(await shown()).toEqual([]);
    fake.store.lagging = false;
    fake.store.settle();
    expect(await shown()).toEqual([]);
    clock.ms += 2 * 3600 * 1000;
    expect(await shown()).toEqual(["late.md"]);
    fake.reset();
    await shown();
    expect(fake.count()).toBe(1);
  });
});

describe("names that are there twice", () => {
  const contents = async (): Promise<Record<string, string>> => {
    const { files } = await backend.list("");
    return Object.fromEntries(await Promise.all(files.map(async ({ path }) => [path, await textAt(backend, path)])));
  };

  test("other bytes are shown as a conflict copy, equal ones once; mending makes it so and bins only twins", async () => {
    put("a.md", "old");
    put("a.md", "newer");
    const twin = put("a.md", "old");
    const before = await contents();
    const copy = Object.keys(before).find((path) => path !== "a.md") ?? "";
    expect(copy).toMatch(/^a\.conflict-[0-9a-f]{8}\.md$/);
    expect(before).toEqual({ "a.md": "old", [copy]: "newer" });
    const done = await backend.mend?.();
    expect(done).toHaveLength(2);
    expect(await contents()).toEqual(before);
    const names = [...fake.store.items.values()].filter(({ parent }) => parent === place.root);
    expect(names.map(({ name, binned }) => `${name} ${binned}`).sort()).toEqual([
      `${copy} false`,
      "a.md false",
      "a.md true",
    ]);
    expect(fake.store.items.get(twin)?.binned).toBe(true);
    fake.reset();
    await backend.list("");
    expect(await backend.mend?.()).toEqual([]);
    expect(fake.count()).toBe(1);
  });

  test("a twin that changes at that moment is taken out of the trash again", async () => {
    put("a.md", "same");
    const twin = put("a.md", "same");
    await backend.list("");
    fake.store.update(user, twin, { content: Buffer.from("edited just now") });
    await backend.mend?.();
    expect(fake.store.items.get(twin)?.binned).toBe(false);
  });

  test("folders of one name are one, and what is in the second moves into the first", async () => {
    const [one, two] = [folder("docs"), folder("docs")];
    put("a.md", "a", one);
    put("b.md", "b", two);
    expect(await shown()).toEqual(["docs/a.md", "docs/b.md"]);
    await backend.mend?.();
    expect(await shown()).toEqual(["docs/a.md", "docs/b.md"]);
    const parents = new Set(
      [...fake.store.items.values()]
        .filter(({ name }) => /^[ab]\.md$/.test(name))
        .filter(({ owner }) => owner === user)
        .map(({ parent }) => parent),
    );
    expect(parents.size).toBe(1);
    await backend.mend?.();
    expect([one, two].filter((id) => fake.store.items.get(id)?.binned)).toHaveLength(1);
  });

  test("two machines that create one name at the same moment keep both contents", async () => {
    const other = await place.other().open();
    await Promise.all([shown(), shown(other)]);
    await backend.write(relPath("a.md"), sourceOf("one"), { expect: "absent" });
    clock.ms += 1000;
    await other.write(relPath("a.md"), sourceOf("two"), { expect: "absent" });
    expect(Object.values(await contents()).sort()).toEqual(["one", "two"]);
    expect(await shown()).toEqual(await shown(other));
    await other.close();
  });
});

describe("guarded writes", () => {
  test.each([true, false])("an edit in between is never replaced (v2 honours If-Match: %p)", async (honours) => {
    fake.honoursIfMatch = honours;
    await googledrive.prepare(place.config, place.deps);
    const probed = await place.open();
    const written = await probed.write(relPath("a.md"), sourceOf("one"), { expect: "absent" });
    const { id = "", rev = "any" } = written.file ?? {};
    const theirs = () => fake.store.update(user, id, { content: Buffer.from("theirs") });
    if (honours) fake.fault("upload.update", { before: theirs });
    else theirs();
    const error = await probed
      .write(relPath("a.md"), sourceOf("ours"), { expect: rev as "any" })
      .catch((thrown: unknown) => thrown);
    expect((error as Error).name).toBe("StaleError");
    expect(fake.store.items.get(id)?.content?.toString()).toBe("theirs");
    await probed.close();
    fake.honoursIfMatch = true;
  });

  const theirs: readonly (readonly [string, (id: string) => void, string])[] = [
    ["edited", (id) => fake.store.update(user, id, { content: Buffer.from("theirs") }), "theirs"],
    ["renamed", (id) => fake.store.update(user, id, { name: "b.md" }), "one"],
    ["put into the trash", (id) => fake.store.update(user, id, { trashed: true }), "one"],
  ];
  test.each(theirs)(
    "an ETag that came with another request guards as well: a file %s since is left alone",
    async (_, act, left) => {
      await googledrive.prepare(place.config, place.deps);
      const writer = await place.open();
      const { file } = await writer.write(relPath("a.md"), sourceOf("one"), { expect: "absent" });
      const { id = "", rev = "any" } = file ?? {};
      await writer.close();
      const probed = await place.open();
      await probed.list("");
      probed.expectWrite?.(relPath("a.md"));
      await probed.write(relPath("new folder/b.md"), sourceOf("b"), { expect: "absent" });
      act(id);
      fake.reset();
      const error = await probed
        .write(relPath("a.md"), sourceOf("ours"), { expect: rev as "any" })
        .catch((thrown: unknown) => thrown);
      expect((error as Error).name).toBe("StaleError");
      expect(fake.history[0]).toBe("upload.update");
      expect(fake.store.items.get(id)?.content?.toString()).toBe(left);
      await probed.close();
    },
  );

  test("an ETag that only views have changed does not stop a write", async () => {
    await googledrive.prepare(place.config, place.deps);
    const probed = await place.open();
    const { file } = await probed.write(relPath("a.md"), sourceOf("one"), { expect: "absent" });
    fake.fault("upload.update", { before: () => fake.store.touch(file?.id ?? "") });
    await probed.write(relPath("a.md"), sourceOf("two"), { expect: file?.rev ?? "any" });
    expect(await textAt(probed, relPath("a.md"))).toBe("two");
    await probed.close();
  });

  test("remove: an edit in between comes back out of the trash; blobs go for good", async () => {
    const { file } = await backend.write(relPath("a.md"), sourceOf("one"), { expect: "absent" });
    const id = file?.id ?? "";
    fake.store.update(user, id, { content: Buffer.from("edited") });
    const error = await backend
      .remove(relPath("a.md"), { expect: file?.rev ?? "any" })
      .catch((thrown: unknown) => thrown);
    expect((error as Error).name).toBe("StaleError");
    expect(fake.store.items.get(id)?.binned).toBe(false);
    const blob = relPath(`_claude_mirror_blobs/aa/aa${"0".repeat(62)}`);
    const made = await backend.write(blob, sourceOf("b"), { expect: "absent" });
    await backend.remove(blob, { expect: made.file?.rev ?? "any" });
    expect(fake.store.items.has(made.file?.id ?? "")).toBe(false);
  });

  test("a file made in a folder that lies in the trash by now is made where it belongs", async () => {
    await backend.write(relPath("docs/a.md"), sourceOf("a"), { expect: "absent" });
    const docs = [...fake.store.items.values()].find(({ name, owner }) => name === "docs" && owner === user)?.id ?? "";
    fake.store.update(user, docs, { trashed: true });
    await backend.write(relPath("docs/b.md"), sourceOf("b"), { expect: "absent" });
    expect(await shown()).toEqual(["docs/b.md"]);
  });
});
