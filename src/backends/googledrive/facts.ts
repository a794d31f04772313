import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeAtomic } from "../../lib/fs.ts";

/** What does not change about the folder that is the remote root. */
export interface RootFacts {
  readonly rootId: string;
  /** The shared drive that it lies in. */
  readonly driveId?: string | undefined;
  /** Whether the account owns it. */
  readonly owned: boolean;
  /** Whether v2 was seen to refuse a write whose If-Match does not fit, and to take one whose does. */
  readonly ifMatch: boolean;
}

/** They are found out anew after this time. */
const GOOD_FOR_MS = 30 * 24 * 3600 * 1000;

function fileIn(stateFolder: string): string {
  return join(stateFolder, "googledrive-facts.json");
}

/** Undefined where they are not known, too old, or of another folder or account. */
export function loadFacts(stateFolder: string, key: string, nowMs: number): RootFacts | undefined {
  try {
    const value = JSON.parse(readFileSync(fileIn(stateFolder), "utf8")) as {
      readonly key?: string;
      readonly atMs?: number;
      readonly facts?: RootFacts;
    };
    const age = nowMs - (value.atMs ?? 0);
    return value.key === key && age >= 0 && age < GOOD_FOR_MS ? value.facts : undefined;
  } catch {
    return undefined;
  }
}

export function saveFacts(stateFolder: string, key: string, facts: RootFacts, nowMs: number): void {
  writeAtomic(fileIn(stateFolder), `${JSON.stringify({ key, atMs: Math.round(nowMs), facts })}\n`, { durable: false });
}
