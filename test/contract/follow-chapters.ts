import { expect, test } from "bun:test";
import type { Backend } from "../../src/backends/types.ts";
import { relPath } from "../../src/lib/path.ts";
import { sourceOf } from "../support/bodies.ts";
import { create, failure } from "./asserts.ts";
import type { ContractContext } from "./suite.ts";

const LOG = relPath("_logs/log.json");
/** Writes after which somebody who follows must have noticed one. */
const MOST_WRITES = 500;

/** Waiting for what other machines do. */
export function followChapters({ chapter, at, has }: ContractContext): void {
  if (!has.waitForChange) return;
  chapter("follow", () => {
    test("waitForChange: wakes when another machine makes, replaces and removes the file", async () => {
      const { backend } = at();
      const other = await at().second();
      await writeUntilWoken(backend, other);
      await create(other, "_logs/other.json", "x");
      await writeUntilWoken(backend, other);
      await other.remove(LOG, { expect: "any" });
      await wakes(backend, () => Promise.resolve());
      await other.close();
    });

    test("waitForChange: nothing that happens between two waits is missed", async () => {
      const { backend } = at();
      const other = await at().second();
      await create(other, LOG, "1");
      await writeUntilWoken(backend, other);
      for (let i = 0; i < 5; i++) {
        await other.write(LOG, sourceOf(`between ${i}`), { expect: "any" });
        await wakes(backend, () => Promise.resolve());
      }
      await other.close();
    });

    test("waitForChange: ends with the signal's reason", async () => {
      const stop = new AbortController();
      await create(at().backend, LOG, "1");
      const waiting = at().backend.waitForChange?.(LOG, { signal: stop.signal });
      const reason = new Error("stopped by the test");
      const ended = failure(waiting as Promise<unknown>);
      stop.abort(reason);
      expect(await ended).toBe(reason);
    });
  });
}

/** A wait that has only just begun may begin after the first write. */
async function writeUntilWoken(backend: Backend, other: Backend): Promise<void> {
  let writes = 0;
  await wakes(backend, async () => {
    if (++writes > MOST_WRITES) throw new Error(`not woken by ${MOST_WRITES} writes`);
    await other.write(LOG, sourceOf(`write ${writes}`), { expect: "any" });
  });
}

/** Calls `meanwhile` until the wait ends with `changed`; a service that lets nobody wait longer is asked again. */
async function wakes(backend: Backend, meanwhile: () => Promise<void>): Promise<void> {
  let woken = false;
  const waiting = (async () => {
    while ((await backend.waitForChange?.(LOG)) !== "changed");
    woken = true;
  })();
  while (!woken) {
    await meanwhile();
    // Lets the events of this process through.
    await Promise.race([waiting, backend.stat(LOG)]);
  }
  await waiting;
}
