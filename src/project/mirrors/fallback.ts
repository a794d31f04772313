import { join } from "node:path";
import { BackendError, NotFoundError } from "../../backends/errors.ts";
import { NeedsActionError } from "../../lib/errors.ts";
import { parseRelPath, type RelPath } from "../../lib/path.ts";
import type { ProjectConfig } from "../../settings/model.ts";
import { openSnapshots } from "../../snapshots/service.ts";
import { belowFolder } from "../../snapshots/stray-root.ts";
import type { Parts } from "../parts.ts";
import { allPlaces, choosePlace, type PlaceChoice } from "../place.ts";

/** Asked before a mirror stands in for a primary that cannot be asked itself. */
export type Consent = (mirror: string, primary: { readonly name: string; readonly error: Error }) => Promise<boolean>;

export interface Fallback {
  /** Only this one; the primary and then the mirrors when left out. */
  readonly backend?: string | undefined;
  /** Left out: a mirror may always stand in. */
  readonly consent?: Consent;
}

export interface FoundAt<T> {
  readonly value: T;
  /** Who had it. */
  readonly name: string;
  /** Opens snapshots there. */
  readonly parts: Parts;
  /** Set when it was not the primary: what to tell the user. */
  readonly warning: string | null;
}

/**
 * Looks for something among the snapshots of the primary, then of each mirror in the order of the config, then in the
 * folders that old versions kept mirrors' snapshots in. A primary that surely lacks it is passed over; one that cannot be
 * asked needs consent for every mirror that is to stand in. Throws what the primary threw where nobody has it.
 */
export async function findOnPlaces<T>(
  parts: Parts,
  look: (at: Parts) => Promise<T>,
  { backend, consent }: Fallback,
): Promise<FoundAt<T>> {
  if (backend !== undefined) {
    const chosen = choosePlace(parts, backend);
    const at = partsAt(parts, chosen);
    return { value: await look(at), name: chosen.name, parts: at, warning: null };
  }
  const [primary, ...mirrors] = allPlaces(parts);
  let failure: Error;
  try {
    return { value: await look(parts), name: primary.name, parts, warning: null };
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    if (mirrors.length === 0 || !isAboutThePlace(error)) throw error;
    failure = error;
  }
  const isAbsent = failure instanceof NotFoundError && (await isReachable(parts));
  for (const { name, at } of candidates(parts, mirrors)) {
    if (!isAbsent && consent !== undefined && !(await consent(name, { name: primary.name, error: failure }))) continue;
    try {
      const found = at();
      return {
        value: await look(found),
        name,
        parts: found,
        warning: warningOf(name, primary.name, isAbsent ? undefined : failure),
      };
    } catch (error) {
      parts.deps.signal.throwIfAborted();
      // The next may have it; where none has, the primary's own answer is what is told.
      if (!isAboutThePlace(error)) throw error;
    }
  }
  throw failure;
}

/** Whether another remote may answer better. */
function isAboutThePlace(error: unknown): error is Error {
  return error instanceof BackendError || error instanceof NeedsActionError;
}

function warningOf(name: string, primary: string, failure: Error | undefined): string {
  const why =
    failure === undefined
      ? `the primary (${primary}) does not have it`
      : `the primary (${primary}) cannot be asked: ${failure.message}`;
  return `Taken from the mirror ${name}: ${why}.`;
}

/** A root that is missing says nothing about what was in it. */
async function isReachable(parts: Parts): Promise<boolean> {
  try {
    return (await (await parts.backend()).list("", { shallow: true, signal: parts.deps.signal })).exists;
  } catch {
    parts.deps.signal.throwIfAborted();
    return false;
  }
}

interface Candidate {
  readonly name: string;
  readonly at: () => Parts;
}

function candidates(parts: Parts, mirrors: readonly PlaceChoice[]): readonly Candidate[] {
  const strays = strayRoots(parts.deps.config);
  return [
    ...mirrors.map((mirror) => ({ name: mirror.name, at: () => partsAt(parts, mirror) })),
    ...mirrors.flatMap((mirror) =>
      strays.map((folder) => ({
        name: `${mirror.name} (in the old folder "${folder}")`,
        at: () => partsBelow(parts, mirror, folder),
      })),
    ),
  ];
}

/** What versions before 0.5.34 called the primary's root when they wrote to a mirror. */
function strayRoots({ driveFolderId, dropboxFolder, onedriveFolder }: ProjectConfig): readonly RelPath[] {
  return [driveFolderId, dropboxFolder, onedriveFolder].flatMap(
    (root) => parseRelPath((root ?? "").replace(/^\/+|\/+$/g, "")) ?? [],
  );
}

/** The project with the snapshots of one of its remotes. */
export function partsAt(parts: Parts, { mirror }: PlaceChoice): Parts {
  return mirror === undefined ? parts : { ...parts, backend: mirror.backend, snapshots: mirror.snapshots };
}

function partsBelow(parts: Parts, { mirror }: PlaceChoice, folder: RelPath): Parts {
  const { clock, config } = parts.deps;
  const backend = async () => belowFolder(await (mirror ?? parts).backend(), folder);
  const stateFolder = join((mirror ?? parts.deps).stateFolder, "stray", folder);
  return {
    ...parts,
    backend,
    snapshots: async () =>
      openSnapshots({ backend: await backend(), stateFolder, clock, workers: config.parallelWorkers }),
  };
}
