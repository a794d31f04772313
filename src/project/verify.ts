import type { RelPath } from "../lib/path.ts";
import { hashSet } from "../snapshots/hash-set.ts";
import type { Finding, PhaseTally, Verification, VerifyEvent } from "../snapshots/model.ts";
import { joinVerifications, tally } from "../snapshots/tally.ts";
import { withProjectLock } from "./lock.ts";
import { verifyMirrorFiles } from "./mirrors/verify-files.ts";
import type { Repair, VerifyResult } from "./model.ts";
import type { Parts } from "./parts.ts";
import { openPlaces, type Place } from "./place.ts";
import { repairAll } from "./repair.ts";
import { contentFinder, REMEMBERED, type SeenContents } from "./repair-source.ts";
import type { VerifyRequest } from "./service.ts";
import { verifyFiles } from "./verify-files.ts";

/**
 * Reads all that is kept on every remote and tells what is not as it should be; with `repair` puts the right bytes where they
 * are wanted, from wherever they still are.
 */
export async function verifyProject(parts: Parts, request: VerifyRequest): Promise<VerifyResult> {
  const checkedAtMs = parts.deps.clock.now();
  const { places, closed } = await openPlaces(parts, request.backend);
  const checking: Checking = {
    parts,
    request,
    agreed: await agreedContents(parts),
    seen: new Map(),
    wanted: new Set(),
  };
  const done: Verification[] = [];
  for (const place of places) done.push(await verifyPlace(checking, place));
  for (const { name, error } of closed) done.push(outOfReach(name, error));
  const found = joinVerifications(done);
  const damages = found.findings.filter(isDamage);
  if (request.repair === undefined) return { ...found, checkedAtMs, left: damages, dryRun: false };
  const dryRun = request.repair === "plan";
  const finder = contentFinder(parts, { places: (await openPlaces(parts)).places, seen: checking.seen });
  const repairs = [...(await repairAll(parts, damages, { finder, dryRun }))];
  const later = await lookAgain(checking, places, { found, repairs });
  repairs.push(...(await repairAll(parts, later.findings.filter(isDamage), { finder, dryRun })));
  const all = [...found.findings, ...later.findings];
  const healed = new Set(repairs.filter(isHealed).map(({ finding }) => finding));
  const left = all.filter((finding) => isDamage(finding) && !healed.has(finding));
  return { findings: all, phases: withMore(found.phases, later.findings), checkedAtMs, repairs, left, dryRun };
}

/**
 * What a manifest named that nobody could read was not looked for. With it back from another remote, the contents are read
 * once more; answers what was not found before.
 */
async function lookAgain(
  checking: Checking,
  places: readonly Place[],
  { found, repairs }: { readonly found: Verification; readonly repairs: readonly Repair[] },
): Promise<Verification> {
  const renewed = repairs.filter(
    (repair) => isHealed(repair) && repair.finding.phase === "manifests" && repair.from !== REMEMBERED,
  );
  const names = new Set(renewed.map(({ finding }) => finding.place));
  const known = new Set(found.findings.map(({ place, path }) => `${place}\n${path}`));
  const done: Verification[] = [];
  for (const place of places) if (names.has(place.name)) done.push(await verifyKept(checking, place));
  const { phases, findings } = joinVerifications(done);
  return { phases, findings: findings.filter(({ place, path }) => !known.has(`${place}\n${path}`)) };
}

/** The counts of a first look, with what a second one found besides. */
function withMore(phases: readonly PhaseTally[], findings: readonly Finding[]): readonly PhaseTally[] {
  return phases.map((phase) => {
    const sum: { -readonly [K in keyof PhaseTally]: PhaseTally[K] } = { ...phase };
    for (const { place, phase: name, kind, count = 1 } of findings) {
      if (place !== phase.place || name !== phase.name) continue;
      sum[kind] += count;
      sum.checked += count;
    }
    return sum;
  });
}

interface Checking {
  readonly parts: Parts;
  readonly request: VerifyRequest;
  /** Digests that our records name. */
  readonly agreed: { has(sha256: string): boolean };
  /** Where contents that are wanted were met. */
  readonly seen: SeenContents;
  /** Digests of what is damaged. */
  readonly wanted: Set<string>;
}

/** A mirror that breaks off is told and keeps nobody else from being verified. */
async function verifyPlace(checking: Checking, place: Place): Promise<Verification> {
  const { parts, request } = checking;
  const done: Verification[] = [];
  try {
    if (request.snapshots) done.push(await verifyKept(checking, place));
    if (request.files) done.push(await verifyLive(parts, request, place));
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    if (place.mirror === undefined) throw error;
    done.push(outOfReach(place.name, error));
  }
  return joinVerifications(done);
}

async function verifyKept({ parts, agreed, seen, wanted }: Checking, place: Place): Promise<Verification> {
  const { name, snapshots } = place;
  const verification = await snapshots.verify({
    place: name,
    signal: parts.deps.signal,
    isKnown: (sha256) => agreed.has(sha256),
    onEvent: (event) => tell(parts, event),
    onContent: (sha256, file) => seen.set(sha256, { place: name, path: file.path }),
  });
  for (const { sha256 } of verification.findings) if (sha256 !== undefined) wanted.add(sha256);
  for (const sha256 of seen.keys()) if (!wanted.has(sha256)) seen.delete(sha256);
  return verification;
}

async function verifyLive(parts: Parts, { repair }: VerifyRequest, place: Place): Promise<Verification> {
  if (place.mirror !== undefined) return verifyMirrorFiles(parts, place, place.mirror);
  const { moved, ...found } = await verifyFiles(parts, place, await parts.sync.look({ files: [], cache: false }));
  // As a repair that was killed before it could note the new version leaves them.
  if (repair === "do" && moved.length > 0)
    await withProjectLock(parts, "verify", () => parts.sync.recordVersions(moved));
  return found;
}

/** A remote of which nothing, or no more, can be read. */
function outOfReach(name: string, error: unknown): Verification {
  const counts = tally(name, "files");
  counts.found({ kind: "failed", path: "" as RelPath, detail: error instanceof Error ? error.message : String(error) });
  return counts.result();
}

/** Something is lost or wrong, as opposed to changed, unknown or out of reach. */
function isDamage({ kind }: Finding): boolean {
  return kind === "corrupted" || kind === "missing";
}

function isHealed({ status }: Repair): boolean {
  return status === "repaired" || status === "same";
}

/** Digests that our records name. */
async function agreedContents(parts: Parts): Promise<{ has(sha256: string): boolean }> {
  const contents = hashSet();
  for (const { sha256 } of await parts.sync.agreedContents()) if (sha256 !== undefined) contents.add(sha256);
  return contents;
}

function tell({ deps }: Parts, event: VerifyEvent): void {
  deps.onEvent(event);
}
