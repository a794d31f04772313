import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { relPath } from "../../../src/lib/path.ts";
import { listRemote } from "../../../src/sync/listing-cache.ts";
import { faultQueue } from "../../support/fault-queue.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { tempFolder } from "../../support/temp.ts";

async function kept() {
  const file = join(tempFolder("listing"), "listing.json");
  const memory = memoryBackend({ changes: true });
  memory.store.put(relPath("a.md"), "hello");
  const names = async () => (await listRemote(memory, { file, cache: true })).files.map((it) => it.path as string);
  await names();
  return { file, memory, names };
}

test("listRemote: what the server says has changed is laid over the kept listing", async () => {
  const { memory, names } = await kept();
  memory.store.put(relPath("b.md"), "two");
  memory.store.delete(relPath("a.md"));
  expect(await names()).toEqual(["b.md"]);
});

test("listRemote: a kept listing of which any bit has turned is not believed", async () => {
  const { file, names } = await kept();
  const good = readFileSync(file);
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 1;
    writeFileSync(file, bad);
    expect(await names()).toEqual(["a.md"]);
  }
});

test("listRemote: a kept listing that was cut short is not believed", async () => {
  const { file, names } = await kept();
  const good = readFileSync(file);
  for (const length of [0, 1, good.length >> 1, good.length - 1]) {
    writeFileSync(file, good.subarray(0, length));
    expect(await names()).toEqual(["a.md"]);
  }
});

test("listRemote: nothing new is one question and no listing", async () => {
  const { file, memory } = await kept();
  const queue = faultQueue(memory);
  await listRemote(queue.backend, { file, cache: true });
  expect(queue.history).toEqual(["changes "]);
});
