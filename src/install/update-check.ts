import { readFileSync } from "node:fs";
import { writeAtomic } from "../lib/fs.ts";
import { compareVersions, isVersion } from "./release.ts";

/** What is known of newer versions without asking; `update-check.json` in the state folder. Losing it costs one request. */
export interface UpdateNotes {
  /** Where it was asked; what another place said does not count. */
  readonly url: string;
  /** Milliseconds since 1970: when somebody was last asked, and the person last told. */
  readonly askedAt: number;
  readonly toldAt: number;
  /** `""` while nobody has answered. */
  readonly latest: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Notes without a word in them where there is no file, where it says something else, or about another place. */
export function readUpdateNotes(file: string, url: string): UpdateNotes {
  try {
    const { askedAt, toldAt, latest, url: asked } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    if (asked === url && typeof askedAt === "number" && typeof toldAt === "number" && typeof latest === "string")
      return { url, askedAt, toldAt, latest };
  } catch {
    // Made anew.
  }
  return { url, askedAt: 0, toldAt: 0, latest: "" };
}

/** Throws where the state folder cannot be written. */
export function writeUpdateNotes(file: string, notes: UpdateNotes): void {
  writeAtomic(file, `${JSON.stringify(notes)}\n`);
}

/** True once a day, whatever came of asking. A time that has not come yet is a clock that was set back. */
export function isAskingDue({ askedAt }: UpdateNotes, nowMs: number): boolean {
  return isDayOld(askedAt, nowMs);
}

/** The newer version that the person should hear of now, once a day. */
export function newsOf({ toldAt, latest }: UpdateNotes, version: string, nowMs: number): string | undefined {
  return isDayOld(toldAt, nowMs) ? newerThan(latest, version) : undefined;
}

/** `latest`, where that is a version and newer than `version`. */
export function newerThan(latest: string, version: string): string | undefined {
  return isVersion(latest) && compareVersions(latest, version) > 0 ? latest : undefined;
}

function isDayOld(timeMs: number, nowMs: number): boolean {
  return nowMs - timeMs >= DAY_MS || timeMs > nowMs;
}
