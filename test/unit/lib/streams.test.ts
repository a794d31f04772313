import { expect, test } from "bun:test";
import { hashBytes, hasher } from "../../../src/lib/hash.ts";
import {
  drain,
  failing,
  fromBytes,
  hashing,
  skipping,
  TooLongError,
  tapped,
  toBytes,
  toText,
  wholeOf,
} from "../../../src/lib/streams.ts";

/** Chunks on demand, which notes how many were asked for and whether it was cancelled. */
function source(chunks: number, size = 4) {
  const seen = { given: 0, cancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (seen.given === chunks) return controller.close();
        controller.enqueue(new Uint8Array(size).fill(++seen.given));
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

test("toBytes: joins what fromBytes splits off, empty included", async () => {
  expect(await toText(fromBytes("naïve"), { limit: 10 })).toBe("naïve");
  expect((await toBytes(fromBytes(new Uint8Array(0)), { limit: 0 })).length).toBe(0);
  expect((await toBytes(source(3).stream, { limit: 12 })).join("")).toBe("111122223333");
});

test("toBytes: a body over the limit is cancelled, not read on", async () => {
  const { stream, seen } = source(1000);
  await expect(toBytes(stream, { limit: 10 })).rejects.toBeInstanceOf(TooLongError);
  expect(seen).toEqual({ given: 3, cancelled: true });
});

test("toText: bytes that are not UTF-8 are an error, never replaced", async () => {
  await expect(toText(fromBytes(new Uint8Array([0x61, 0xff])), { limit: 9 })).rejects.toThrow(TypeError);
});

test("drain: a signal that fires while a read hangs ends it with the reason", async () => {
  const control = new AbortController();
  let cancelled = false;
  const hanging = new ReadableStream<Uint8Array>({
    cancel() {
      cancelled = true;
    },
  });
  const run = drain(hanging, () => undefined, { signal: control.signal });
  control.abort(new Error("stop"));
  await expect(run).rejects.toThrow("stop");
  expect(cancelled).toBe(true);
});

test("drain: waits for the sink, cancels when it throws", async () => {
  const { stream, seen } = source(9);
  const run = drain(stream, async (chunk) => {
    await null;
    if (chunk[0] === 2) throw new Error("full");
  });
  await expect(run).rejects.toThrow("full");
  expect(seen).toEqual({ given: 2, cancelled: true });
});

test("hashing: passes the bytes on and digests them with every hasher", async () => {
  const [md5, sha256] = [hasher("md5"), hasher("sha256")];
  const bytes = await toBytes(hashing(source(5).stream, [md5, sha256]), { limit: 99 });
  expect(md5.hex()).toBe(hashBytes("md5", bytes));
  expect(sha256.hex()).toBe(hashBytes("sha256", bytes));
});

test("tapped: reads nothing before it is read, passes cancel and errors both ways", async () => {
  const first = source(5);
  const reader = tapped(first.stream, () => undefined).getReader();
  expect(first.seen.given).toBe(0);
  await reader.read();
  expect(first.seen.given).toBe(1);
  await reader.cancel();
  expect(first.seen.cancelled).toBe(true);

  const second = source(5);
  const broken = tapped(second.stream, () => {
    throw new Error("bad chunk");
  });
  await expect(toBytes(broken, { limit: 99 })).rejects.toThrow("bad chunk");
  expect(second.seen.cancelled).toBe(true);

  const failing = new ReadableStream<Uint8Array>({ pull: (c) => c.error(new Error("from below")) });
  await expect(
    toBytes(
      tapped(failing, () => undefined),
      { limit: 9 },
    ),
  ).rejects.toThrow("from below");
});

test("wholeOf: knows what is here until somebody takes any of it", async () => {
  const bytes = Buffer.from("all of it");
  const fresh = fromBytes(bytes);
  expect([wholeOf(fresh), wholeOf(fresh)]).toEqual([bytes, bytes]);
  expect(await toText(fresh, { limit: 100 })).toBe("all of it");
  const read = fromBytes(bytes);
  const reader = read.getReader();
  expect(wholeOf(read)).toBeUndefined();
  await reader.read();
  reader.releaseLock();
  const cancelled = fromBytes(bytes);
  await cancelled.cancel();
  expect([fresh, read, cancelled, source(1).stream].map(wholeOf)).toEqual([undefined, undefined, undefined, undefined]);
});

test("tapped, skipping and drain: a stream that is here whole passes as any other", async () => {
  for (const make of [(text: string) => fromBytes(text), (text: string) => new Blob([text]).stream()]) {
    const seen: string[] = [];
    const see = (chunk: Uint8Array) => void seen.push(Buffer.from(chunk).toString());
    const stream = tapped(skipping(make("the body"), 4), see, () => void seen.push("end"));
    expect(await toText(stream, { limit: 100 })).toBe("body");
    expect(seen.join("")).toBe("bodyend");
    const bad = tapped(make("x"), see, () => {
      throw new Error("damaged");
    });
    await expect(toText(bad, { limit: 100 })).rejects.toThrow("damaged");
    const stopped = drain(make("x"), () => {}, { signal: AbortSignal.abort(new Error("stop")) });
    await expect(stopped).rejects.toThrow("stop");
  }
  await expect(toText(failing(new Error("no")), { limit: 1 })).rejects.toThrow("no");
});
