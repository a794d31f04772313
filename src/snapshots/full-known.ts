import * as fs from "node:fs";
import { join } from "node:path";
import { faultPoint } from "../lib/fault.ts";
import { writeAtomic } from "../lib/fs.ts";
import { hashBytes } from "../lib/hash.ts";

/** The full snapshot that this machine made last, or is making. */
export interface FullNote {
  readonly timestamp: string;
  /** Digest of all that it is made from: a repetition from the same facts goes on with it. */
  readonly facts: string;
  /** Content of its claim. */
  readonly claim: string;
  readonly done: boolean;
}

/** What this machine knows about full snapshots. Losing it costs requests and may leave an incomplete folder. */
export interface FullKnowledge {
  note(): FullNote | undefined;
  /** Durable when it returns. Throws system errors. */
  setNote(note: FullNote | undefined): void;
  /** True when the newest full snapshot of this machine holds this content. */
  holds(sha256: string): boolean;
  /** Name of that snapshot. */
  newest(): string | undefined;
  setNewest(timestamp: string, sha256s: Iterable<string>): void;
  /** Drops what is known of it when it is not among these names. */
  retain(timestamps: ReadonlySet<string>): void;
}

interface Newest {
  readonly timestamp: string;
  readonly digests: ReadonlySet<string>;
}

/** Opens what is known in `folder`. */
export function openFullKnowledge(folder: string): FullKnowledge {
  const noteFile = join(folder, "full-note.json");
  const newestFile = join(folder, "full-newest");
  let loaded: { readonly newest: Newest | undefined } | undefined;
  const newest = (): Newest | undefined => {
    loaded ??= { newest: readNewest(newestFile) };
    return loaded.newest;
  };
  return {
    note: () => readNote(noteFile),
    setNote(note) {
      faultPoint("full-note");
      if (note) writeAtomic(noteFile, JSON.stringify(note), { mode: 0o600 });
      else fs.rmSync(noteFile, { force: true });
    },
    holds: (sha256) => newest()?.digests.has(sha256) ?? false,
    newest: () => newest()?.timestamp,
    setNewest(timestamp, sha256s) {
      const digests = new Set(sha256s);
      loaded = { newest: { timestamp, digests } };
      faultPoint("full-newest");
      writeNewest(newestFile, loaded.newest as Newest);
    },
    retain(timestamps) {
      const known = newest();
      if (known === undefined || timestamps.has(known.timestamp)) return;
      loaded = { newest: undefined };
      fs.rmSync(newestFile, { force: true });
    },
  };
}

function readNote(file: string): FullNote | undefined {
  try {
    const note = JSON.parse(fs.readFileSync(file, "utf8")) as FullNote;
    const texts = [note.timestamp, note.facts, note.claim];
    return texts.every((text) => typeof text === "string") ? note : undefined;
  } catch {
    return undefined;
  }
}

/** A line that vouches for the others, the name, one line a digest. */
function writeNewest(file: string, { timestamp, digests }: Newest): void {
  const body = [timestamp, ...digests].join("\n");
  try {
    writeAtomic(file, `${hashBytes("sha256", body)}\n${body}`, { mode: 0o600, durable: false });
  } catch {
    // Knowledge that cannot be kept costs requests only.
    fs.rmSync(file, { force: true });
  }
}

function readNewest(file: string): Newest | undefined {
  try {
    const text = fs.readFileSync(file, "utf8");
    const end = text.indexOf("\n");
    const body = text.slice(end + 1);
    if (hashBytes("sha256", body) !== text.slice(0, end)) return undefined;
    const [timestamp = "", ...digests] = body.split("\n");
    return { timestamp, digests: new Set(digests) };
  } catch {
    return undefined;
  }
}
