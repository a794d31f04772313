import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeAtomic } from "../../lib/fs.ts";
import { hashBytes } from "../../lib/hash.ts";
import type { Capabilities, ChecksumKind, GuardLevel } from "../types.ts";
import type { DavRoot } from "./dav-path.ts";
import type { AuthScheme } from "./sign-in.ts";

/** How replacing or removing a known version is guarded, best first. */
export type ChangeGuard = "if-etag" | "if-match" | "lock" | "lock-tagged" | "look";
/** How creating is guarded, best first: `move` puts a temporary file and moves it with `Overwrite: F`. */
export type CreateGuard = "if-none-match" | "move" | "look";

/** What the setup probe proved about one server and folder. */
export interface ServerFacts {
  readonly version: 1;
  readonly probedMs: number;
  /** The Server header at that time. */
  readonly server: string;
  readonly scheme: AuthScheme;
  readonly update: ChangeGuard;
  readonly remove: ChangeGuard;
  readonly create: CreateGuard;
  /** How the version of what is copied or moved is guarded. */
  readonly copySource: ChangeGuard;
  readonly moveSource: ChangeGuard;
  /** PROPFIND with `Depth: infinity` answers completely. */
  readonly deepListing: boolean;
  readonly listsEtags: boolean;
  /** The ETag in the answer to a PUT is the one that a listing shows. */
  readonly putReturnsEtag: boolean;
  /** A change two levels down changes the root's ETag. */
  readonly propagates: boolean;
  readonly hidesDotFiles: boolean;
  /** A file gets the time that a PUT names in its Date header. */
  readonly keepsDates: boolean;
  /** COPY and MOVE refuse to overwrite when told to. */
  readonly copies: boolean;
  readonly moves: boolean;
  readonly checksums: readonly ChecksumKind[];
  readonly caseSensitive: boolean;
  readonly atomicWrite: boolean;
  /** What a Nextcloud's upload in chunks was seen to guard: new names, new names and versions, or nothing. */
  readonly chunks: "none" | "create" | "replace";
}

/** What to go by where nothing is proven. */
export const UNPROVEN: ServerFacts = {
  version: 1,
  probedMs: 0,
  server: "",
  scheme: "basic",
  update: "look",
  remove: "look",
  create: "look",
  copySource: "look",
  moveSource: "look",
  deepListing: false,
  listsEtags: true,
  putReturnsEtag: false,
  propagates: false,
  hidesDotFiles: false,
  keepsDates: false,
  copies: false,
  moves: false,
  checksums: [],
  caseSensitive: true,
  atomicWrite: false,
  chunks: "none",
};

/** Facts older than this are proven anew, milliseconds. */
export const FACTS_AGE_MS = 30 * 24 * 3600 * 1000;

function factsFile(stateFolder: string, root: DavRoot): string {
  return stateFile(stateFolder, root, "json");
}

/** Where something about this root is kept. */
export function stateFile(stateFolder: string, root: DavRoot, ending: string): string {
  return join(stateFolder, `webdav-${hashBytes("sha256", root.url).slice(0, 16)}.${ending}`);
}

/** The facts kept for this root; undefined when there are none or they are unreadable, of another form or too old. */
export function loadFacts(stateFolder: string, root: DavRoot, nowMs: number): ServerFacts | undefined {
  try {
    const facts: unknown = JSON.parse(readFileSync(factsFile(stateFolder, root), "utf8"));
    if (!isFacts(facts)) return undefined;
    const age = nowMs - facts.probedMs;
    return age >= 0 && age < FACTS_AGE_MS ? facts : undefined;
  } catch {
    // Facts are a cache: whatever is wrong with them, proving them again cures it.
    return undefined;
  }
}

export function saveFacts(stateFolder: string, root: DavRoot, facts: ServerFacts): void {
  mkdirSync(stateFolder, { recursive: true });
  writeAtomic(factsFile(stateFolder, root), `${JSON.stringify(facts, null, 1)}\n`, { mode: 0o600, durable: false });
}

/** Makes the next opening prove them again. */
export function dropFacts(stateFolder: string, root: DavRoot): void {
  rmSync(factsFile(stateFolder, root), { force: true });
}

function isFacts(value: unknown): value is ServerFacts {
  if (value === null || typeof value !== "object" || !("version" in value) || value.version !== 1) return false;
  return Object.entries(UNPROVEN).every(([key, sample]) => {
    const found = (value as Record<string, unknown>)[key];
    return typeof found === typeof sample && Array.isArray(found) === Array.isArray(sample);
  });
}

/** The contract's view of the facts. */
export function capabilities(facts: ServerFacts): Capabilities {
  return {
    guard: weakest(facts),
    // Servers keep the one that was sent.
    checksums: facts.checksums.slice(0, 1),
    writeReturnsRev: facts.putReturnsEtag && facts.listsEtags,
    revTickMs: facts.listsEtags ? KERNEL_TICK_MS : CLOCK_SECOND_MS,
    listsDeep: facts.deepListing,
    atomicWrite: facts.atomicWrite,
    createCostsMore: facts.create !== "if-none-match",
    names: {
      forbidden: "",
      maxNameBytes: 255,
      caseSensitive: facts.caseSensitive,
      ...(facts.hidesDotFiles ? { hiddenPrefix: "." } : {}),
    },
  };
}

/** ETags made of a file's time and size change with the kernel's clock, which ticks every 10 ms at worst. */
const KERNEL_TICK_MS = 20;
/** Without ETags a rev is made of whole seconds. */
const CLOCK_SECOND_MS = 2000;

function weakest(facts: ServerFacts): GuardLevel {
  const guards: readonly (ChangeGuard | CreateGuard)[] = [facts.update, facts.remove, facts.create];
  if (guards.includes("look")) return "look";
  return guards.includes("lock") || guards.includes("lock-tagged") ? "lock" : "native";
}
