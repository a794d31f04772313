import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeAtomic } from "../../lib/fs.ts";
import { hashBytes } from "../../lib/hash.ts";
import type { Capabilities } from "../types.ts";
import { NAMES } from "./names.ts";
import type { Place } from "./place.ts";

/** What a setup found out, kept in the state folder. */
export interface Facts {
  readonly place: Place;
  /** How a new version of a file is guarded: by If-Match on the upload itself, or on the session that it goes through. */
  readonly update: "if-match" | "session";
  /** Whether creating a file fails where one is already. */
  readonly create: "fail" | "look";
  /** `personal`, `business` or `documentLibrary`. */
  readonly driveType: string;
  readonly probedMs: number;
}

/** Facts older than this are proven anew, milliseconds. */
const FACTS_AGE_MS = 30 * 24 * 3600 * 1000;
const VERSION = 1;

/** Before anything is proven: the ways that the documents promise. */
export const UNPROVEN: Omit<Facts, "place" | "probedMs"> = { update: "session", create: "fail", driveType: "" };

function fileOf(stateFolder: string, folder: string): string {
  return join(stateFolder, `onedrive-${hashBytes("sha256", folder).slice(0, 16)}.json`);
}

export function loadFacts(stateFolder: string, folder: string, nowMs: number): Facts | undefined {
  try {
    const { version, facts } = JSON.parse(readFileSync(fileOf(stateFolder, folder), "utf8")) as Record<string, unknown>;
    if (version !== VERSION || !isFacts(facts)) return undefined;
    const age = nowMs - facts.probedMs;
    return age >= 0 && age < FACTS_AGE_MS ? facts : undefined;
  } catch {
    return undefined; // A cache: whatever is wrong with it, looking again cures it.
  }
}

export function saveFacts(stateFolder: string, folder: string, facts: Facts): void {
  const text = `${JSON.stringify({ version: VERSION, facts }, null, 1)}\n`;
  writeAtomic(fileOf(stateFolder, folder), text, { mode: 0o600, durable: false });
}

export function dropFacts(stateFolder: string, folder: string): void {
  rmSync(fileOf(stateFolder, folder), { force: true });
}

function isFacts(value: unknown): value is Facts {
  if (typeof value !== "object" || value === null) return false;
  const { place, update, create, driveType, probedMs } = value as Facts;
  const texts = [place?.drive, place?.driveId, place?.rootId, driveType];
  const known = (update === "if-match" || update === "session") && (create === "fail" || create === "look");
  return known && texts.every((text) => typeof text === "string") && typeof probedMs === "number";
}

/** The largest file that OneDrive keeps. */
const MAX_FILE = 250_000_000_000;

export function capabilities({ create, update }: Pick<Facts, "create" | "update">): Capabilities {
  return {
    // A session compares versions when it is made, not when it ends.
    guard: create === "fail" && update === "if-match" ? "native" : "look",
    checksums: ["quickxor"],
    writeReturnsRev: true,
    listsDeep: true,
    atomicWrite: true,
    inFlight: { remove: 40, write: 8, stat: 8, read: 8, copy: 8 },
    names: NAMES,
    maxFileSize: MAX_FILE,
  };
}
