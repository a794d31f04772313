import { expect, test } from "bun:test";
import type { Backend } from "../../src/backends/types.ts";
import { relPath } from "../../src/lib/path.ts";
import { sourceOf, textAt } from "../support/bodies.ts";
import { create } from "./asserts.ts";
import type { ContractContext } from "./suite.ts";

const LOG = relPath("_logs/log.json");

/** Asking in one request whether a file may have changed. */
export function pollChapters({ chapter, at, has }: ContractContext): void {
  if (!has.poll) return;
  chapter("poll", () => {
    test("poll: what another machine makes, replaces and removes is a change; what stayed is none, in the next process too", async () => {
      const { backend } = at();
      const other = await at().second();
      const later = await at().second();
      let cursor = await poll(backend, undefined, "changed");
      cursor = await poll(backend, cursor, "same");
      await create(other, LOG, "1");
      cursor = await poll(backend, cursor, "changed");
      await other.write(LOG, sourceOf("version 2"), { expect: "any" });
      cursor = await poll(backend, cursor, "changed", "version 2");
      // A version that may still change without showing it is a change each time.
      if ((await backend.stat(LOG))?.racy === false) {
        cursor = await poll(backend, cursor, "same");
        cursor = await poll(backend, cursor, "same");
      }
      await other.remove(LOG, { expect: "any" });
      cursor = await poll(backend, cursor, "changed");
      await poll(later, cursor, "same");
      await other.close();
      await later.close();
    });

    test("poll: a cursor that was never ours, or is that of another place, is a change and another cursor", async () => {
      const { backend } = at();
      await create(backend, LOG, "1");
      for (const none of ["", "no cursor", "etag", "12345 somebody else", "/me/drive/root/delta?token=none"]) {
        const polled = await backend.poll?.(LOG, none);
        expect(polled?.kind).toBe("changed");
        expect(polled?.cursor).not.toBe(none === "" ? undefined : none);
        if (polled?.kind === "changed") await polled.opened?.body.cancel();
      }
    });
  });
}

/** Polls and answers the new cursor. What came with a change is the file's content. */
async function poll(backend: Backend, since: string | undefined, kind: string, content?: string): Promise<string> {
  const polled = await backend.poll?.(LOG, since);
  expect(polled?.kind as string).toBe(kind);
  if (polled?.kind === "changed") {
    const { opened } = polled;
    if (content === undefined) await opened?.body.cancel();
    else if (opened !== undefined) expect(await new Response(opened.body).text()).toBe(content);
    else expect(await textAt(backend, LOG)).toBe(content);
  }
  return polled?.cursor ?? expect.unreachable();
}
