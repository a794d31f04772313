import { expect, test } from "bun:test";
import { LocalFileError, NotFoundError, StaleError } from "../../src/backends/errors.ts";
import type { Rev, Source } from "../../src/backends/types.ts";
import { hashBytes } from "../../src/lib/hash.ts";
import { relPath } from "../../src/lib/path.ts";
import { drain, failingSource, lyingSource, sourceOf, streamOf, textAt, utf8 } from "../support/bodies.ts";
import { seededRandom } from "../support/random.ts";
import { create, fails, failsOnBody, failure, fileAt, pathsOf, unless } from "./asserts.ts";
import type { ContractContext, ContractRoot } from "./suite.ts";

const A = relPath("docs/a.md");

/** Bytes in, bytes out. */
export function bodyChapters(context: ContractContext): void {
  bodies(context);
  allOrNothing(context);
  reading(context);
  readingParts(context);
  abort(context);
}

function bodies({ chapter, at, can }: ContractContext): void {
  chapter("bodies", () => {
    test("write: an empty file", async () => {
      const { backend } = at();
      await create(backend, A, "");
      expect((await fileAt(backend, A)).size).toBe(0);
      expect(await textAt(backend, A)).toBe("");
    });

    test("write: a body of more than 4 MiB comes back byte for byte", async () => {
      const { backend } = at();
      const bytes = seededRandom(1).bytes(4 * 1024 * 1024 + 13);
      await create(backend, "big.bin", bytes);
      const opened = await backend.read(relPath("big.bin"));
      expect(opened.file.size).toBe(bytes.length);
      const back = await drain(opened.body);
      expect(back.length).toBe(bytes.length);
      expect(hashBytes("sha256", back)).toBe(hashBytes("sha256", bytes));
    });

    test("write: every byte value survives", async () => {
      const { backend } = at();
      const bytes = Uint8Array.from({ length: 1024 }, (_, i) => i & 0xff);
      await create(backend, "bytes.bin", bytes);
      const back = await drain((await backend.read(relPath("bytes.bin"))).body);
      expect(Buffer.from(back).equals(Buffer.from(bytes))).toBe(true);
    });

    test("write: the same source twice, each time from its start", async () => {
      const { backend } = at();
      const source = sourceOf("same body");
      await backend.write(A, source, { expect: "absent" });
      await backend.write(relPath("docs/b.md"), source, { expect: "absent" });
      expect(await textAt(backend, relPath("docs/b.md"))).toBe("same body");
    });

    test("write: names the new version when it says so, and stat agrees", async () => {
      const { backend } = at();
      const written = await backend.write(A, sourceOf("one"), { expect: "absent" });
      const seen = await fileAt(backend, A);
      if (can.writeReturnsRev) expect(written.file).toBeDefined();
      if (written.file) expect(written.file).toMatchObject({ path: A, size: 3, rev: seen.rev, id: seen.id });
      if (written.file) expect(written.file.nativeHash).toBe(seen.nativeHash);
    });

    test("write: an update of the same size is seen as a new version", async () => {
      const { backend } = at();
      const before = await create(backend, A, "one");
      await backend.write(A, sourceOf("two"), { expect: before.rev });
      expect(await textAt(backend, A)).toBe("two");
      const after = await fileAt(backend, A);
      if (!before.racy && !after.racy) expect(after.rev).not.toBe(before.rev);
    });

    test("checksums: those that the listing promises are there and right", async () => {
      const { backend } = at();
      await create(backend, A, "content");
      const [file] = (await backend.list("")).files;
      for (const kind of can.checksums) {
        const found = file?.checksums?.find((checksum) => checksum.kind === kind);
        expect(found).toBeDefined();
        if (kind === "sha256" || kind === "md5" || kind === "sha1") {
          expect(found?.value).toBe(hashBytes(kind, utf8("content")));
        }
      }
    });

    test("vouches: for the bytes that are there and for no others of their length", async () => {
      const { backend } = at();
      const file = await create(backend, A, "content");
      if (backend.vouches === undefined) return;
      expect(await backend.vouches(file, sourceOf("content"))).toBe(true);
      expect(await backend.vouches(file, sourceOf("c0ntent"))).toBe(false);
    });
  });
}

function allOrNothing({ chapter, at, can }: ContractContext): void {
  if (!can.atomicWrite) return;
  const failing = (): Source => failingSource("half", 2_000, new LocalFileError("the local file went away"));
  const cases: readonly (readonly [string, () => Source])[] = [
    ["a body that ends early", () => lyingSource("short", 2_000)],
    ["a body that goes on", () => lyingSource("much longer than that", 5)],
    ["a body that fails", failing],
    ["a big body that fails", () => failingSource("x".repeat(300_000), 600_000, new LocalFileError("gone"))],
  ];
  chapter("all or nothing", () => {
    for (const [what, make] of cases) {
      test(`write: ${what} leaves the old content`, async () => {
        const { backend } = at();
        const before = await create(backend, A, "old content");
        await failsOnBody(backend.write(A, make(), { expect: before.rev }));
        expect(await textAt(backend, A)).toBe("old content");
        expect((await fileAt(backend, A)).rev).toBe(before.rev);
        expect(await pathsOf(backend, "")).toEqual([A]);
      });

      test(`write: ${what} creates nothing`, async () => {
        const { backend } = at();
        await failsOnBody(backend.write(A, make(), { expect: "absent" }));
        expect(await backend.stat(A)).toBeUndefined();
        expect(await pathsOf(backend, "")).toEqual([]);
      });
    }

    test("write: a failure of the local file is reported as such, never as the remote's", async () => {
      expect(await failure(at().backend.write(A, failing(), { expect: "absent" }))).toBeInstanceOf(LocalFileError);
    });

    test("write: works again after a failed one", async () => {
      const { backend } = at();
      await failure(backend.write(A, failing(), { expect: "absent" }));
      await create(backend, A, "now");
      expect(await textAt(backend, A)).toBe("now");
    });

    test("write: a refused write leaves no opened body behind", async () => {
      const { backend } = at();
      await create(backend, A, "old");
      const counted = countingSource("x".repeat(200_000));
      expect(await failure(backend.write(A, counted.source, { expect: "absent" }))).toBeInstanceOf(StaleError);
      expect(counted.stillOpen()).toBe(0);
    });
  });
}

/** A source that counts the streams that were opened and neither read to the end nor cancelled. */
function countingSource(content: string): { readonly source: Source; stillOpen(): number } {
  let open = 0;
  const bytes = utf8(content);
  const start = (): ReadableStream<Uint8Array> => {
    open++;
    const reader = streamOf(bytes).getReader();
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        open--;
        controller.close();
      },
      cancel() {
        open--;
      },
    });
  };
  return { source: { size: bytes.length, open: start }, stillOpen: () => open };
}

function reading({ chapter, at, can }: ContractContext): void {
  chapter("read", () => {
    test("read: a missing file is NotFoundError", async () => {
      expect(await failure(at().backend.read(relPath("no/where.md")))).toBeInstanceOf(NotFoundError);
    });

    test("read: the version that is expected, and StaleError for another", async () => {
      const { backend } = at();
      const before = await create(backend, A, "one");
      expect(new TextDecoder().decode(await drain((await backend.read(A, { expect: before.rev })).body))).toBe("one");
      await backend.write(A, sourceOf("three"), { expect: before.rev });
      expect(await failure(backend.read(A, { expect: before.rev }))).toBeInstanceOf(StaleError);
      expect(await failure(backend.read(A, { expect: "0-never" as Rev }))).toBeInstanceOf(StaleError);
    });

    test("read: says which version it opened", async () => {
      const { backend } = at();
      const written = await create(backend, A, "one");
      const opened = await backend.read(A);
      await drain(opened.body);
      expect(opened.file).toMatchObject({ path: A, size: 3, rev: written.rev });
    });

    test("read: a body that is given up does no harm", async () => {
      const { backend } = at();
      await create(backend, A, "x".repeat(500_000));
      for (let i = 0; i < 30; i++) await (await backend.read(A)).body.cancel();
      expect((await textAt(backend, A)).length).toBe(500_000);
    });

    unless(!can.atomicWrite)("read: a reader sees the whole old or the whole new content, never both", async () => {
      const { backend, second } = at();
      const writer = await second();
      const content = (letter: string): string => letter.repeat(700_000);
      await create(backend, A, content("a"));
      let writing = true;
      const writes = (async () => {
        for (const letter of "bcdefghijk") await writer.write(A, sourceOf(content(letter)), { expect: "any" });
        writing = false;
      })();
      let whole = 0;
      while (writing || whole === 0) {
        const text = await textAt(backend, A).catch(() => undefined);
        if (text === undefined) continue;
        whole++;
        expect(text === content(text.charAt(0))).toBe(true);
      }
      await writes;
      await writer.close();
      expect(whole).toBeGreaterThan(0);
    });
  });
}

function readingParts({ chapter, at }: ContractContext): void {
  const bytes = seededRandom(3).bytes(700_000);

  /** What a read from this byte gives, told of a version that is there or not. */
  const partOf = async ({ backend }: ContractRoot, from: number, rev: Rev): Promise<Uint8Array> => {
    const opened = await backend.read(A, { expect: rev, from });
    expect(opened.file).toMatchObject({ path: A, size: bytes.length, rev });
    return drain(opened.body);
  };

  chapter("parts", () => {
    test("read: from a byte on, the rest of the same version", async () => {
      const { rev } = await create(at().backend, A, bytes);
      for (const from of [0, 1, 65_536, 399_999, bytes.length - 1]) {
        expect(hashBytes("sha256", await partOf(at(), from, rev))).toBe(hashBytes("sha256", bytes.subarray(from)));
      }
    });

    test("read: from the end on, nothing", async () => {
      const { rev } = await create(at().backend, A, bytes);
      expect((await partOf(at(), bytes.length, rev)).length).toBe(0);
    });

    test("read: a part of another version is StaleError, also where that one is shorter", async () => {
      const { backend } = at();
      const { rev } = await create(backend, A, bytes);
      await backend.write(A, sourceOf("short"), { expect: rev });
      expect(await failure(backend.read(A, { expect: rev, from: 400_000 }))).toBeInstanceOf(StaleError);
      expect(await failure(backend.read(A, { expect: rev, from: 2 }))).toBeInstanceOf(StaleError);
    });

    test("read: a part of a missing file is NotFoundError", async () => {
      const missing = at().backend.read(relPath("no/where.md"), { expect: "0-never" as Rev, from: 5 });
      expect(await failure(missing)).toBeInstanceOf(NotFoundError);
    });
  });
}

function abort({ chapter, at, can }: ContractContext): void {
  chapter("abort", () => {
    const aborted = AbortSignal.abort();
    const isAbort = (error: unknown): boolean => error instanceof Error && error.name === "AbortError";

    test("abort: a signal that has fired stops every verb before it does anything", async () => {
      const { backend } = at();
      await create(backend, A, "one");
      const options = { signal: aborted };
      const b = relPath("b.md");
      const calls: readonly (() => Promise<unknown>)[] = [
        () => backend.list("", options),
        () => backend.stat(A, options),
        () => backend.read(A, options),
        () => backend.write(A, sourceOf("two"), { expect: "any", ...options }),
        () => backend.remove(A, { expect: "any", ...options }),
        ...(backend.copy ? [async () => backend.copy?.(A, b, options)] : []),
        ...(backend.move ? [async () => backend.move?.(A, b, options)] : []),
      ];
      for (const call of calls) expect(isAbort(await failure(call()))).toBe(true);
      expect(await textAt(backend, A)).toBe("one");
      expect(await pathsOf(backend, "")).toEqual([A]);
    });

    unless(!can.atomicWrite)("abort: in the middle of a body the old content stays", async () => {
      const { backend } = at();
      const before = await create(backend, A, "old");
      const control = new AbortController();
      const endless: Source = {
        size: 10_000_000,
        open: () =>
          new ReadableStream<Uint8Array>({
            pull(controller) {
              controller.enqueue(new Uint8Array(1000));
              queueMicrotask(() => control.abort());
            },
          }),
      };
      const error = await failure(backend.write(A, endless, { expect: before.rev, signal: control.signal }));
      expect(isAbort(error)).toBe(true);
      expect(await textAt(backend, A)).toBe("old");
      expect(await pathsOf(backend, "")).toEqual([A]);
    });

    test("abort: one stopped call leaves the others alone", async () => {
      const { backend } = at();
      await fails(backend.write(A, sourceOf("x"), { expect: "0-never" as Rev }));
      await failure(backend.write(A, sourceOf("x"), { expect: "absent", signal: aborted }));
      await create(backend, A, "fine");
      expect(await textAt(backend, A)).toBe("fine");
    });
  });
}
