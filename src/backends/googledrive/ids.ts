import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeAtomic } from "../../lib/fs.ts";
import { BackendError } from "../errors.ts";
import type { CallOptions } from "../types.ts";
import type { BatchAnswer, BatchCall } from "./batch.ts";
import type { DriveClient } from "./client.ts";

/** Ids that Google has set aside for files of ours: a create that is repeated with its id cannot make a second file. */
export interface IdPool {
  take(call: CallOptions): Promise<string>;
  /** The call that asks for ids, to be sent with another one and its answer given to `accept`; undefined while there are some. */
  readonly wanted: () => BatchCall | undefined;
  accept(answer: BatchAnswer | BackendError | undefined): void;
  /** The ids at hand are not taken any more: others are asked for. */
  drop(): void;
  /** Keeps what is left for the next process. */
  save(): void;
}

/** The most that one request gives. */
const AT_ONCE = 1000;
const QUERY = { count: AT_ONCE, space: "drive", type: "files", fields: "ids" } as const;
const ASK: BatchCall = {
  method: "GET",
  path: `/drive/v3/files/generateIds?${new URLSearchParams({ ...QUERY, count: String(AT_ONCE) })}`,
  what: "get ids for new files",
};

export function idPool(client: DriveClient, stateFolder: string, key: string): IdPool {
  const file = join(stateFolder, "googledrive-ids.json");
  let ids: string[] | undefined;
  let used = false;
  let asking: Promise<void> | undefined;
  const ask = async (call: CallOptions): Promise<void> => {
    const answer = await client.call({ what: "get ids for new files", changes: false, ...call }, (sdk) =>
      client.v3.files.generateIds(QUERY, sdk),
    );
    ids = [...(answer.ids ?? [])];
    if (ids.length === 0) throw new BackendError("Could not get ids for new files: none came", { class: "TRANSIENT" });
  };
  return {
    wanted() {
      ids ??= readIds(file, key);
      return ids.length > 0 ? undefined : ASK;
    },
    accept(answer) {
      if (answer === undefined || answer instanceof BackendError) return;
      const { ids: given = [] } = answer.body as { readonly ids?: readonly string[] };
      ids = [...(ids ?? []), ...given];
      used = true;
    },
    async take(call) {
      ids ??= readIds(file, key);
      used = true;
      for (let id = ids.pop(); ; id = ids.pop()) {
        if (id !== undefined) return id;
        asking ??= ask(call).finally(() => {
          asking = undefined;
        });
        await asking;
      }
    },
    drop() {
      ids = [];
      used = true;
    },
    save() {
      if (!used || ids === undefined) return;
      if (ids.length === 0) rmSync(file, { force: true });
      else writeAtomic(file, JSON.stringify({ key, ids }), { mode: 0o600, durable: false });
      used = false;
    },
  };
}

function readIds(file: string, key: string): string[] {
  try {
    const value = JSON.parse(readFileSync(file, "utf8")) as { readonly key?: string; readonly ids?: readonly string[] };
    return value.key === key && Array.isArray(value.ids) ? [...value.ids] : [];
  } catch {
    return [];
  }
}
