import { type Drive, type Item, Refusal } from "./store.ts";

export interface DeltaState {
  /** Tokens of before stop working, with this error. */
  era: number;
  resync: "resyncChangesApplyDifferences" | "resyncChangesUploadDifferences";
  /** Largest page. */
  page: number;
  /** While set, delta tells nothing newer. */
  heldAt: number | undefined;
  readonly streams: Map<string, { readonly ids: readonly string[]; readonly end: number }>;
}

interface Entry {
  readonly item?: Item;
  readonly gone?: Record<string, unknown>;
}

export interface DeltaPage {
  readonly entries: readonly Entry[];
  readonly next: string | undefined;
  readonly delta: string | undefined;
}

/**
 * One page of `delta`: the latest state of what changed since the token, children before their folders, some of it
 * twice, the folders above what changed among it, all of which the document allows.
 */
export function deltaPage(drive: Drive, scope: string, state: DeltaState, params: URLSearchParams): DeltaPage {
  const token = params.get("token");
  const top = Math.min(state.page, Number(params.get("$top") ?? state.page));
  const limit = state.heldAt ?? drive.seq();
  if (token === "latest") return { entries: [], next: undefined, delta: `d${state.era}.${limit}` };
  let [key, from] = ["", 0];
  if (token === null || token === "fresh") key = begin(drive, scope, state, 0);
  else if (token.startsWith("d")) {
    const [era, since] = token.slice(1).split(".").map(Number) as [number, number];
    if (era !== state.era) throw gone(state);
    key = begin(drive, scope, state, since);
  } else {
    const [era, stream, at] = token.slice(1).split(".");
    if (Number(era) !== state.era) throw gone(state);
    [key, from] = [stream as string, Number(at)];
  }
  const stream = state.streams.get(key);
  if (stream === undefined) throw new Refusal(400, "invalidRequest", "The token is malformed.");
  const to = from + top;
  const entries = stream.ids.slice(from, to).flatMap((id): readonly Entry[] => {
    const item = drive.items.get(id);
    if (item !== undefined) return [{ item }];
    const grave = drive.graves.get(id);
    if (grave === undefined) return [];
    const facet = grave.folder ? { folder: {} } : { file: {} };
    return [{ gone: { id, parentReference: { driveId: drive.id, id: grave.parent }, ...facet, deleted: {} } }];
  });
  const more = to < stream.ids.length;
  return {
    entries,
    next: more ? `n${state.era}.${key}.${to}` : undefined,
    delta: more ? undefined : `d${state.era}.${stream.end}`,
  };
}

function begin(drive: Drive, scope: string, state: DeltaState, since: number): string {
  const end = state.heldAt ?? drive.seq();
  const isIn = (id: string): boolean => {
    for (let at = id; ; at = drive.items.get(at)?.parent ?? drive.graves.get(at)?.parent ?? "") {
      if (at === scope) return true;
      if (at === "") return false;
    }
  };
  const told = new Set<string>();
  for (const { id, seq, parent } of drive.items.values()) {
    if (seq <= since || seq > end) continue;
    told.add(id);
    // An update comes with the folders above it.
    for (let above = parent; since > 0 && above !== ""; above = drive.items.get(above)?.parent ?? "") told.add(above);
  }
  if (since > 0) for (const [id, { seq }] of drive.graves) if (seq > since && seq <= end) told.add(id);
  const ids = [...told].filter((id) => scope === drive.root || isIn(id)).reverse();
  const twice = since > 0 && ids[0] !== undefined ? [...ids, ids[0]] : ids;
  const key = `s${state.streams.size}`;
  state.streams.set(key, { ids: twice, end });
  return key;
}

function gone(state: DeltaState): Refusal {
  return new Refusal(410, state.resync, "Resync required. Replace any local items with the server's version.", {
    Location: "fresh",
  });
}
