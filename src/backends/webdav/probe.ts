import { randomBytes } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import { hashBytes } from "../../lib/hash.ts";
import type { HttpResponse } from "../../lib/http-response.ts";
import { childOf, type RelPath, relPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import type { CallOptions, ChecksumKind } from "../types.ts";
import type { DavConnection } from "./connection.ts";
import { fileUrl, folderUrl, readHref } from "./dav-path.ts";
import { type ChangeGuard, type CreateGuard, type ServerFacts, UNPROVEN } from "./facts.ts";
import { guardHeaders } from "./guard.ts";
import { PROBE_PREFIX, propfind } from "./listing.ts";
import { withLock } from "./lock.ts";
import type { DavEntry } from "./multistatus-parser.ts";
import { probeChunks } from "./probe-chunks.ts";
import { canonicalEtag } from "./rev.ts";

export interface ProbeOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
}

/** The requests of a probe, all inside one folder of its own. */
interface Lab {
  readonly connection: DavConnection;
  readonly folder: RelPath;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** The status of one request; refusals are answers here, 401 and broken connections are not. */
  call(method: string, name: string, options?: CallDetails): Promise<HttpResponse>;
  status(method: string, name: string, options?: CallDetails): Promise<number>;
  /** Makes sure that a file of this name exists with this content. */
  fresh(name: string, content?: string): Promise<void>;
  entry(name: string): Promise<DavEntry | undefined>;
  /** The version of a file, as an ETag without quotes; undefined where there is none. */
  etag(name: string): Promise<string | undefined>;
  text(name: string): Promise<string | undefined>;
}

interface CallDetails {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const WRONG = "00000000-claude-mirror-never";

/**
 * Finds out by trying, in a folder of its own below the root that is removed afterwards, which guards hold: each is
 * sent with a right and with a wrong value, and counts only when the first is carried out and the second refused.
 */
export async function probeServer(connection: DavConnection, options: ProbeOptions): Promise<ServerFacts> {
  const folder = relPath(PROBE_PREFIX + randomBytes(6).toString("hex"));
  const lab = createLab(connection, folder, options);
  const dav = await optionsHeader(lab);
  await makeProbeFolder(lab);
  try {
    return await probeIn(lab, dav);
  } finally {
    await removeProbeFolder(connection, folder);
  }
}

/** Also when the probe was interrupted, hence without its signal. What stays behind is never listed. */
async function removeProbeFolder(connection: DavConnection, folder: RelPath): Promise<void> {
  const request = { method: "DELETE", url: folderUrl(connection.root, folder), what: "remove the probe folder" };
  try {
    await (await connection.send(request)).drain();
  } catch {
    // What the probe found, or what made it fail, counts more.
  }
}

async function probeIn(lab: Lab, dav: string): Promise<ServerFacts> {
  const put = await lab.call("PUT", "etag.txt", { body: "one" });
  if (!put.ok) throw refusedProbe(put.status);
  const entry = await lab.entry("etag.txt");
  const listsEtags = entry?.etag !== undefined;
  const putEtag = put.headers.get("etag");
  const update = await probeChange(lab, "PUT", listsEtags);
  const remove = await probeChange(lab, "DELETE", listsEtags);
  const copies = await overwriteRefused(lab, "COPY");
  const moves = await overwriteRefused(lab, "MOVE");
  const { deepListing, propagates } = await probeDepth(lab);
  const server = lab.connection.server();
  return {
    ...UNPROVEN,
    probedMs: lab.clock.now(),
    server,
    scheme: lab.connection.scheme() ?? "none",
    update,
    remove,
    copySource: copies ? await probeSource(lab, "COPY", remove) : "look",
    moveSource: moves ? await probeSource(lab, "MOVE", remove) : "look",
    create: await probeCreate(lab, moves),
    deepListing,
    listsEtags,
    putReturnsEtag:
      putEtag !== null && entry?.etag !== undefined && canonicalEtag(putEtag) === canonicalEtag(entry.etag),
    propagates: propagates && listsEtags,
    hidesDotFiles: await probeDotFiles(lab),
    keepsDates: await probeDates(lab),
    copies,
    moves,
    checksums: await probeChecksums(lab),
    caseSensitive: await probeCase(lab),
    atomicWrite: atomic(server, dav, listsEtags),
    chunks: await probeChunks(lab),
  };
}

function refusedProbe(status: number): BackendError {
  return new BackendError(`Could not try the remote folder out: the server refuses a small file (${status})`, {
    class: status === 507 ? "QUOTA" : status >= 500 ? "TRANSIENT" : "PERMISSION",
    status,
    hint: "Check the account's rights on this folder.",
  });
}

/** Only servers known to put a finished file in place at once; told by what they say about themselves. */
function atomic(server: string, dav: string, listsEtags: boolean): boolean {
  if (/apache\.org\/dav\/propset/.test(dav)) return true;
  if (/^nginx/i.test(server)) return !listsEtags;
  return /^lighttpd/i.test(server) && !/\b3\b|extended-mkcol/.test(dav);
}

async function optionsHeader(lab: Lab): Promise<string> {
  const { connection, signal } = lab;
  const response = await connection.send({
    method: "OPTIONS",
    url: folderUrl(connection.root, ""),
    what: "try the remote folder out",
    signal,
  });
  await response.drain();
  return response.headers.get("dav") ?? "";
}

async function makeProbeFolder(lab: Lab): Promise<void> {
  const status = await lab.status("MKCOL", "");
  if (status < 200 || status > 299) throw refusedProbe(status);
}

async function probeChange(lab: Lab, method: "PUT" | "DELETE", listsEtags: boolean): Promise<ChangeGuard> {
  for (const guard of listsEtags ? (["if-etag", "if-match"] as const) : []) {
    if (await holds(lab, method, guard)) return guard;
  }
  if (await lockHolds(lab, method, "plain")) return "lock";
  return (await lockHolds(lab, method, "tagged")) ? "lock-tagged" : "look";
}

/**
 * A wrong value must be refused and change nothing, the right one must be carried out. The name needs
 * percent-encoding, since some servers compare URLs in their encoded form.
 */
async function holds(lab: Lab, method: "PUT" | "DELETE", guard: "if-etag" | "if-match"): Promise<boolean> {
  const name = `guard ${method} é.txt`;
  const url = fileUrl(lab.connection.root, childOf(lab.folder, name));
  const headers = (etag: string) => guardHeaders(guard, method, url, etag);
  const body = method === "PUT" ? { body: "changed" } : {};
  await lab.fresh(name, "before");
  const wrong = await lab.status(method, name, { headers: headers(WRONG), ...body });
  if (wrong < 400 || (await lab.text(name)) !== "before") return false;
  const etag = await lab.etag(name);
  if (etag === undefined) return false;
  const right = await lab.status(method, name, { headers: headers(etag), ...body });
  if (right < 200 || right > 299) return false;
  // What was the right value a moment ago must be a wrong one now, also within one tick of the server's clock.
  if (method === "PUT") return (await lab.status(method, name, { headers: headers(etag), body: "CHANGED" })) >= 400;
  return (await lab.text(name)) === undefined;
}

/** The version of the source of a COPY or MOVE, guarded in the same way as a remove. */
async function probeSource(lab: Lab, method: "COPY" | "MOVE", guard: ChangeGuard): Promise<ChangeGuard> {
  if (guard !== "if-etag" && guard !== "if-match") return guard;
  const name = `source ${method} é.txt`;
  const to = childOf(lab.folder, `${name}-to`);
  await lab.fresh(name, "source");
  const url = fileUrl(lab.connection.root, childOf(lab.folder, name));
  const send = (etag: string) =>
    lab.status(method, name, {
      headers: {
        ...guardHeaders(guard, method, url, etag),
        Destination: fileUrl(lab.connection.root, to),
        Overwrite: "F",
      },
    });
  const etag = await lab.etag(name);
  const wrong = await send(WRONG);
  if (etag === undefined || wrong < 400 || (await lab.text(name)) !== "source") return "look";
  const right = await send(etag);
  return right >= 200 && right < 300 ? guard : "look";
}

async function lockHolds(lab: Lab, method: "PUT" | "DELETE", form: "plain" | "tagged"): Promise<boolean> {
  const name = `lock ${method} é.txt`;
  const path = childOf(lab.folder, name);
  const body = method === "PUT" ? { body: "changed" } : {};
  await lab.fresh(name, "before");
  try {
    return await withLock(lab.connection, path, { clock: lab.clock, ...callOptions(lab.signal) }, async (held) => {
      const without = await lab.status(method, name, body);
      if (without < 400 || (await lab.text(name)) !== "before") return false;
      const inside = await lab.status(method, name, { headers: held[form], ...body });
      return inside >= 200 && inside < 300;
    });
  } catch (error) {
    if (error instanceof BackendError && error.class !== "AUTH" && !lab.signal?.aborted) return false;
    throw error;
  }
}

async function probeCreate(lab: Lab, moves: boolean): Promise<CreateGuard> {
  const headers = { "If-None-Match": "*" };
  const first = await lab.status("PUT", "create.txt", { headers, body: "first" });
  const second = await lab.status("PUT", "create.txt", { headers, body: "second" });
  const kept = (await lab.text("create.txt")) === "first";
  if (first >= 200 && first < 300 && second >= 400 && kept) return "if-none-match";
  return moves ? "move" : "look";
}

async function overwriteRefused(lab: Lab, method: "COPY" | "MOVE"): Promise<boolean> {
  const from = `${method.toLowerCase()}-from.txt`;
  const to = `${method.toLowerCase()}-to.txt`;
  await lab.fresh(from, "from");
  await lab.fresh(to, "to");
  const onto = (name: string) => ({
    headers: { Destination: fileUrl(lab.connection.root, childOf(lab.folder, name)), Overwrite: "F" },
  });
  const refused = await lab.status(method, from, onto(to));
  if (refused < 400 || (await lab.text(to)) !== "to") return false;
  const done = await lab.status(method, from, onto(`new-${to}`));
  return done >= 200 && done < 300 && (await lab.text(`new-${to}`)) === "from";
}

/** Deep listings must show what lies two levels down, not just be answered. */
async function probeDepth(lab: Lab): Promise<{ readonly deepListing: boolean; readonly propagates: boolean }> {
  await lab.status("MKCOL", "a/");
  await lab.status("MKCOL", "a/b/");
  await lab.fresh("a/b/deep.txt", "one");
  const { connection, folder, signal } = lab;
  let seen = false;
  const deep = { url: folderUrl(connection.root, folder), depth: "infinity", what: "list deeply", signal } as const;
  const found = await propfind(connection, deep, (entry) => {
    const href = readHref(connection.root, entry.href);
    if (href.kind === "below" && href.path === `${folder}/a/b/deep.txt`) seen = true;
  }).catch((error: unknown) => {
    if (signal?.aborted || !(error instanceof BackendError) || error.class === "AUTH") throw error;
    return { kind: "too-deep" } as const;
  });
  const before = await rootEtag(lab);
  await lab.fresh("a/b/deep.txt", "another");
  const after = await rootEtag(lab);
  return { deepListing: found.kind === "found" && seen, propagates: before !== undefined && before !== after };
}

async function rootEtag(lab: Lab): Promise<string | undefined> {
  const { connection, signal } = lab;
  let etag: string | undefined;
  const request = {
    url: folderUrl(connection.root, ""),
    depth: "0",
    what: "look at the remote folder",
    signal,
  } as const;
  await propfind(connection, request, (entry) => {
    etag = entry.etag;
  });
  return etag;
}

async function probeDotFiles(lab: Lab): Promise<boolean> {
  await lab.fresh(".dot", "dot");
  const { connection, folder, signal } = lab;
  let seen = false;
  const request = {
    url: folderUrl(connection.root, folder),
    depth: "1",
    what: "list the probe folder",
    signal,
  } as const;
  await propfind(connection, request, (entry) => {
    const href = readHref(connection.root, entry.href);
    if (href.kind === "below" && href.path === `${folder}/.dot`) seen = true;
  });
  return !seen;
}

const DATED = Date.UTC(1994, 10, 6, 8, 49, 37);

async function probeDates(lab: Lab): Promise<boolean> {
  const headers = { Date: new Date(DATED).toUTCString() };
  const status = await lab.status("PUT", "dated.txt", { headers, body: "dated" });
  return status >= 200 && status < 300 && (await lab.entry("dated.txt"))?.modifiedMs === DATED;
}

const SUMMED = "sum";

async function probeChecksums(lab: Lab): Promise<ChecksumKind[]> {
  const found: ChecksumKind[] = [];
  for (const kind of ["sha256", "md5"] as const) {
    const name = `${kind}.txt`;
    const value = hashBytes(kind, SUMMED);
    const headers = { "OC-Checksum": `${kind.toUpperCase()}:${value}` };
    const status = await lab.status("PUT", name, { headers, body: SUMMED });
    if (status < 200 || status > 299) continue;
    const entry = await lab.entry(name);
    if (entry?.checksums.some((one) => one.kind === kind && one.value === value)) found.push(kind);
  }
  return found;
}

async function probeCase(lab: Lab): Promise<boolean> {
  await lab.fresh("Case.txt", "upper");
  return (await lab.entry("case.txt")) === undefined;
}

function createLab(connection: DavConnection, folder: RelPath, options: ProbeOptions): Lab {
  const { clock, signal } = options;
  const urlOf = (name: string) =>
    name === "" || name.endsWith("/")
      ? folderUrl(connection.root, name === "" ? folder : relPath(`${folder}/${name.slice(0, -1)}`))
      : fileUrl(connection.root, childOf(folder, name));
  const send = (method: string, name: string, details: CallDetails) =>
    connection.send({ method, url: urlOf(name), what: "try the remote folder out", signal, ...details });
  const lab: Lab = {
    connection,
    folder,
    clock,
    signal,
    async call(method, name, details = {}) {
      const response = await send(method, name, details);
      await response.drain();
      return response;
    },
    status: async (method, name, details) => (await lab.call(method, name, details)).status,
    async fresh(name, content = name) {
      const status = await lab.status("PUT", name, { body: content });
      if (status < 200 || status > 299) throw refusedProbe(status);
    },
    async entry(name) {
      let found: DavEntry | undefined;
      const request = { url: urlOf(name), depth: "0", what: "try the remote folder out", signal } as const;
      const result = await propfind(connection, request, (entry) => {
        found = entry;
      });
      return result.kind === "found" ? found : undefined;
    },
    async etag(name) {
      const etag = (await lab.entry(name))?.etag;
      return etag === undefined ? undefined : canonicalEtag(etag);
    },
    async text(name) {
      const response = await send("GET", name, {});
      const text = await response.text(1024);
      return response.status === 200 ? text : undefined;
    },
  };
  return lab;
}

function callOptions(signal: AbortSignal | undefined): CallOptions {
  return signal === undefined ? {} : { signal };
}
