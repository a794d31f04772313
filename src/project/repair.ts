import { BackendError, StaleError } from "../backends/errors.ts";
import type { Backend, Source } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import { hashBytes } from "../lib/hash.ts";
import { joinUnder } from "../lib/path.ts";
import { fromBytes } from "../lib/streams.ts";
import type { Finding } from "../snapshots/model.ts";
import { readThrough } from "../sync/contents.ts";
import { describeItemError } from "../sync/item-error.ts";
import { fileContent, withLocalCopy } from "./content.ts";
import { withProjectLock } from "./lock.ts";
import type { Repair } from "./model.ts";
import type { Parts } from "./parts.ts";
import type { ContentFinder, ContentSource, FoundSource } from "./repair-source.ts";

export interface RepairOptions {
  readonly finder: ContentFinder;
  readonly dryRun: boolean;
}

/**
 * Puts the right bytes where they are wanted, one after the other. What is replaced is first kept in the trash, a damaged
 * file only goes as the version that was found, and what was written is read back. Without right bytes nothing is
 * touched: damaged ones may still be of use to a person.
 */
export async function repairAll(
  parts: Parts,
  damages: readonly Finding[],
  { finder, dryRun }: RepairOptions,
): Promise<readonly Repair[]> {
  const repairs: Repair[] = [];
  const repairEach = async (): Promise<void> => {
    for (const finding of damages) {
      parts.deps.signal.throwIfAborted();
      const found = await finder.find(finding);
      if (found === undefined) repairs.push({ finding, status: "none" });
      else if (dryRun) repairs.push({ finding, status: "planned", from: nameOfSource(found.source) });
      else repairs.push(await repair(parts, finding, found, finder));
    }
  };
  if (dryRun || damages.length === 0) await repairEach();
  else await withProjectLock(parts, "verify", repairEach);
  return repairs;
}

async function repair(parts: Parts, finding: Finding, found: FoundSource, finder: ContentFinder): Promise<Repair> {
  const from = nameOfSource(found.source);
  const backend = finder.places.find(({ name }) => name === finding.place)?.backend;
  if (backend === undefined) return { finding, status: "failed", from, error: `"${finding.place}" cannot be opened` };
  try {
    const status = await withContent(parts, found.source, (content) =>
      replace(parts, { backend, finding, sha256: found.sha256 }, content),
    );
    return { finding, status, from };
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    return { finding, status: "failed", from, error: describeItemError(error).message };
  }
}

interface Target {
  readonly backend: Backend;
  readonly finding: Finding;
  /** Of the right bytes. */
  readonly sha256: string;
}

/** Writes the right bytes in the place of exactly those that were found. */
async function replace(parts: Parts, target: Target, content: Source): Promise<"repaired" | "same"> {
  const { backend, finding, sha256 } = target;
  const { path, rev } = finding;
  const { signal } = parts.deps;
  if (content.sha256 !== sha256) {
    throw new BackendError(`cannot repair "${path}": what it was to be repaired with changed meanwhile`, {
      class: "TRANSIENT",
    });
  }
  if (rev !== undefined && (await keepDamaged(parts, target)) === "same") return "same";
  faultPoint("repair-write");
  try {
    await backend.write(path, content, { expect: rev ?? "absent", signal });
  } catch (error) {
    if (!(error instanceof StaleError)) throw error;
    if ((await readThrough(backend, path, { signal }))?.hash.sha256 === sha256) return "same";
    throw error;
  }
  const written = await readThrough(backend, path, { signal });
  if (written?.hash.sha256 === sha256) {
    if (finding.phase === "files") await parts.sync.recordVersions([written.file]);
    return "repaired";
  }
  throw new BackendError(`cannot repair "${path}": what was just written comes back damaged`, { class: "UNKNOWN" });
}

/** What is about to be replaced goes to the trash, as far as it can be read; "same" when it turns out to be right. */
async function keepDamaged(parts: Parts, { backend, finding, sha256 }: Target): Promise<"kept" | "same"> {
  const { path, rev } = finding;
  const { signal } = parts.deps;
  const opened = await backend.read(path, { ...(rev === undefined ? {} : { expect: rev }), signal });
  const kept = await parts.trash.putBytes(
    opened.body,
    { path, reason: "damaged, replaced by verify --repair" },
    { signal },
  );
  const found = await fileContent(parts.trash.contentOf(kept), path, signal);
  if (found.sha256 !== sha256) return "kept";
  parts.trash.discard(kept);
  return "same";
}

async function withContent<T>(parts: Parts, source: ContentSource, use: (content: Source) => Promise<T>): Promise<T> {
  const { root, trash, deps } = parts;
  switch (source.kind) {
    case "local":
      return use(await fileContent(joinUnder(root, source.path), source.path, deps.signal));
    case "trash":
      return use(await fileContent(trash.contentOf(source.entry), source.entry.path, deps.signal));
    case "remote": {
      const { body } = await source.place.backend.read(source.path, { signal: deps.signal });
      return withLocalCopy(parts, source.path, body, use);
    }
    case "text": {
      const bytes = new TextEncoder().encode(source.text);
      const sha256 = hashBytes("sha256", bytes);
      return use({ size: bytes.length, sha256, open: () => fromBytes(bytes) });
    }
  }
}

function nameOfSource(source: ContentSource): string {
  switch (source.kind) {
    case "local":
      return `"${source.path}" in the project`;
    case "trash":
      return `"${source.entry.path}" in the trash`;
    case "remote":
      return `"${source.path}" on ${source.place.name}`;
    case "text":
      return source.where;
  }
}
