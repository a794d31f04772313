import { pythonIso } from "../../lib/clock.ts";
import { foldersOf, type RelPath } from "../../lib/path.ts";
import type { ExecuteHooks } from "../../sync/execute.ts";
import type { SentFile } from "../../sync/journal.ts";
import type { BaseEntry } from "../../sync/model.ts";
import type { StateIndex } from "../../sync/state-index.ts";
import type { Parts } from "../parts.ts";
import type { OpenMirror } from "./model.ts";
import { sameContent, type Wanted } from "./plan.ts";
import { hooksFor, tell } from "./prepare.ts";
import { lostFiles } from "./presence.ts";
import { type SendOptions, sendTo } from "./send.ts";

/** A mirror is given the next files once this many, or files of this many bytes, wait for it. */
const BATCH_FILES = 128;
const BATCH_BYTES = 8 * 1024 * 1024;

/** What one mirror got while the primary was still being written. */
export interface Ahead {
  readonly uploaded: readonly RelPath[];
  /** Files that were sent there once and are gone; undefined: nobody looked. */
  readonly lost: readonly RelPath[] | undefined;
}

export interface AheadOptions {
  /** What the run uploads. */
  readonly uploads: ReadonlySet<RelPath>;
  /** What it deletes: where that makes room for something, the mirror waits until the primary is done. */
  readonly doomed: Iterable<RelPath>;
  readonly agreed: StateIndex;
  readonly isCurrent: SendOptions["isCurrent"];
}

/** Sends mirrors what the primary has acknowledged, while it is sent the rest. */
export interface AheadRun {
  /** A file that the primary holds now. */
  onSent(file: SentFile): void;
  /** No more come; what has not been begun is left to the fan-out. */
  end(): void;
  /** Resolves when nothing is under way at this mirror any more; never rejects. */
  of(mirror: OpenMirror): Promise<Ahead>;
  /** The same for every mirror. */
  settled(): Promise<void>;
}

/**
 * Large runs write the primary and its mirrors at once. What fails here is not reported and not counted: the fan-out that
 * follows meets it again and tells it. Small runs send nothing here, and everything by the fan-out.
 */
export function sendAhead(parts: Parts, open: readonly OpenMirror[], options: AheadOptions): AheadRun {
  const doomed = new Set<string>(options.doomed);
  const emptied = new Set<string>([...doomed].flatMap((path) => foldersOf(path as RelPath)));
  const isFree = (path: RelPath) => !emptied.has(path) && !foldersOf(path).some((folder) => doomed.has(folder));
  const lines = new Map(open.map((one) => [one.mirror.name, startLine(parts, one, options)]));
  return {
    onSent(file) {
      if (!options.uploads.has(file.path) || file.local === undefined || !isFree(file.path)) return;
      for (const line of lines.values()) line.add(file);
    },
    end() {
      for (const line of lines.values()) line.end();
    },
    async of({ mirror }) {
      return (await lines.get(mirror.name)?.done) ?? NOTHING;
    },
    async settled() {
      await Promise.all([...lines.values()].map(({ done }) => done));
    },
  };
}

const NOTHING: Ahead = { uploaded: [], lost: undefined };

interface Line {
  add(file: SentFile): void;
  end(): void;
  readonly done: Promise<Ahead>;
}

/** One mirror's: batches, each when the one before is there. */
function startLine(parts: Parts, one: OpenMirror, options: AheadOptions): Line {
  let waiting: SentFile[] = [];
  let bytes = 0;
  let isOpen = true;
  let busy: Promise<void> | undefined;
  const uploaded: RelPath[] = [];
  let lost: readonly RelPath[] | undefined;
  let hooks: ExecuteHooks | undefined;
  let finish: (ahead: Ahead) => void = () => undefined;
  const done = new Promise<Ahead>((resolve) => {
    finish = resolve;
  });
  const settle = () => {
    if (!isOpen && busy === undefined) finish({ uploaded, lost });
  };
  const sendBatch = async (batch: readonly SentFile[]): Promise<void> => {
    lost ??= await prepare(parts, one, options.uploads);
    const uploads = batch.flatMap((file) => wantedOf(file, one, parts.deps.clock.now()) ?? []);
    const { agreed, isCurrent } = options;
    hooks ??= await hooksFor(parts, one.mirror, BATCH_FILES);
    const with_ = { agreed, isCurrent, likelyThere: NOBODY, overwrite: false, hooks };
    const report = await sendTo(one.mirror, one.state, { uploads, deletes: [] }, parts, with_);
    for (const path of report.uploaded) uploaded.push(path);
    if (report.errors.size > 0 || report.interrupted) isOpen = false;
  };
  const next = () => {
    if (!isOpen || busy !== undefined || (waiting.length < BATCH_FILES && bytes < BATCH_BYTES)) return;
    const batch = waiting;
    [waiting, bytes] = [[], 0];
    busy = sendBatch(batch)
      .catch(() => {
        isOpen = false;
      })
      .then(() => {
        busy = undefined;
        next();
        settle();
      });
  };
  return {
    add(file) {
      if (!isOpen) return;
      waiting.push(file);
      bytes += file.size;
      next();
    },
    end() {
      isOpen = false;
      waiting = [];
      settle();
    },
    done,
  };
}

const NOBODY: ReadonlySet<RelPath> = new Set();

/** What comes before the first write on a mirror. */
async function prepare(parts: Parts, one: OpenMirror, uploads: ReadonlySet<RelPath>): Promise<readonly RelPath[]> {
  await tell(parts, one);
  return lostFiles(one.mirror, one.state, uploads, parts.deps);
}

/** Undefined where the mirror holds it already. */
function wantedOf(file: SentFile, { state }: OpenMirror, nowMs: number): Wanted | undefined {
  const { path, md5, sha256, size, local } = file;
  const agreed: BaseEntry = {
    path,
    md5,
    sha256,
    size,
    remoteId: "",
    nativeHash: "",
    racy: false,
    syncedAt: pythonIso(nowMs),
  };
  const record = state.recordOf(path);
  if (record !== undefined && sameContent(agreed, record)) return undefined;
  return { agreed, ...(record && { record }), ...(local && { local }) };
}
