import { hostname } from "node:os";
import { createHttpClient } from "../../lib/http-client.ts";
import { BackendError } from "../errors.ts";
import type { BackendConfig, BackendDeps, BackendModule, Looked, Probed } from "../module.ts";
import type { Backend } from "../types.ts";
import { createWebdavBackend } from "./backend.ts";
import { createConnection, type DavConnection } from "./connection.ts";
import { type DavRoot, davRoot, folderUrl } from "./dav-path.ts";
import { capabilities, dropFacts, loadFacts, type ServerFacts, saveFacts, stateFile, UNPROVEN } from "./facts.ts";
import { makeRoot } from "./folders.ts";
import { propfind } from "./listing.ts";
import { probeServer } from "./probe.ts";

/** Any server that speaks WebDAV (RFC 4918). */
export const webdav: BackendModule = {
  kind: "webdav",
  label: "WebDAV",
  remoteRoot: (config) => rootOf(config).url,
  prepare: (config, deps) => prepare(config, deps),
  check: (config, deps) => check(config, deps),
  known: async (config, deps) => {
    const facts = loadFacts(deps.stateFolder, rootOf(config), deps.clock.now());
    return facts && { can: capabilities(facts), created: false, notes: notesOn(facts) };
  },
  open: (config, deps) => open(config, deps),
};

function rootOf(config: BackendConfig): DavRoot {
  const invalid = (why: string, hint: string) =>
    new BackendError(`Could not use webdav_url "${withoutSecret(config.webdavUrl)}": ${why}`, {
      class: "FILE_REJECTED",
      hint,
    });
  const example = "Give the folder's whole address: https://cloud.example/remote.php/dav/files/me/project";
  let root: DavRoot;
  try {
    root = davRoot(config.webdavUrl);
  } catch {
    throw invalid("it is not a web address", example);
  }
  if (root.origin.startsWith("http:") && !config.webdavInsecureHttp) {
    throw invalid(
      "it would send the password in the clear",
      "Use https://, or allow this with claude-mirror init --webdav-insecure-http.",
    );
  }
  return root;
}

function withoutSecret(address: string): string {
  return address.replace(/\/\/[^/@]*@/, "//").replace(/[?#].*$/, "");
}

function connect(config: BackendConfig, deps: BackendDeps, facts: ServerFacts | undefined): DavConnection {
  return createConnection({
    root: rootOf(config),
    http: createHttpClient(),
    clock: deps.clock,
    secret: deps.secret,
    scheme: facts?.scheme,
  });
}

async function rootExists(connection: DavConnection, deps: BackendDeps): Promise<boolean> {
  const url = folderUrl(connection.root, "");
  const what = "look at the remote folder";
  let folder = false;
  const found = await propfind(connection, { url, depth: "0", what, signal: deps.signal }, (entry) => {
    folder ||= entry.isFolder;
  });
  if (found.kind !== "found") return false;
  if (folder) return true;
  throw new BackendError(`Could not use "${connection.root.url}": it is a file, not a folder`, {
    class: "FILE_REJECTED",
  });
}

async function prepare(config: BackendConfig, deps: BackendDeps): Promise<Probed> {
  const connection = connect(config, deps, undefined);
  try {
    const created = !(await rootExists(connection, deps));
    if (created) await makeRoot(connection, deps.signal === undefined ? {} : { signal: deps.signal });
    const facts = await probeServer(connection, deps);
    saveFacts(deps.stateFolder, connection.root, facts);
    return { can: capabilities(facts), created, notes: notesOn(facts) };
  } finally {
    connection.close();
  }
}

async function check(config: BackendConfig, deps: BackendDeps): Promise<Looked> {
  const facts = loadFacts(deps.stateFolder, rootOf(config), deps.clock.now());
  const connection = connect(config, deps, facts);
  try {
    if (await rootExists(connection, deps)) {
      const serverTimeMs = connection.serverTimeMs();
      return serverTimeMs === undefined ? {} : { serverTimeMs };
    }
    throw new BackendError(`Could not find the remote folder "${connection.root.url}": it is not there`, {
      class: "FILE_REJECTED",
      status: 404,
      hint: "Check webdav_url; claude-mirror auth makes the folder.",
    });
  } finally {
    connection.close();
  }
}

async function open(config: BackendConfig, deps: BackendDeps): Promise<Backend> {
  const { stateFolder } = deps;
  const root = rootOf(config);
  const kept = loadFacts(stateFolder, root, deps.clock.now());
  const connection = connect(config, deps, kept);
  const facts = kept ?? (await prove(connection, deps));
  return createWebdavBackend({
    connection,
    facts,
    clock: deps.clock,
    tempsFile: stateFile(stateFolder, root, "temps"),
    chunkNotes: stateFile(stateFolder, root, "chunks"),
    client: `${hostname()} ${stateFolder}`,
    onClose() {
      const now = connection.server();
      if (now !== "" && facts.server !== "" && now !== facts.server) dropFacts(stateFolder, root);
    },
  });
}

/** Proves the facts anew; a folder that is missing or cannot be written to is used with nothing proven. */
async function prove(connection: DavConnection, deps: BackendDeps): Promise<ServerFacts> {
  if (!(await rootExists(connection, deps))) return UNPROVEN;
  try {
    const facts = await probeServer(connection, deps);
    saveFacts(deps.stateFolder, connection.root, facts);
    return facts;
  } catch (error) {
    if (!(error instanceof BackendError) || (error.class !== "PERMISSION" && error.class !== "QUOTA")) throw error;
    deps.log?.(`webdav: ${error.message}`);
    return UNPROVEN;
  }
}

/** What a person should know about the server, one line each. */
function notesOn(facts: ServerFacts): string[] {
  const notes = [facts.server === "" ? "The server does not name itself." : `Server: ${facts.server}`];
  const { guard } = capabilities(facts);
  if (guard === "lock") notes.push("The server ignores preconditions: files are locked while they are replaced.");
  if (guard === "look") {
    notes.push(
      "The server cannot guard writes: two machines writing one file at the same moment can overwrite each other.",
    );
  }
  if (!facts.deepListing) notes.push("The server refuses deep listings: a listing costs one request per folder.");
  notes.push(
    facts.chunks === "none"
      ? "An upload that breaks off begins anew: this server cannot go on with one."
      : "A large upload that breaks off goes on, for a day.",
  );
  if (!facts.atomicWrite) notes.push("A reader may see a half-written file for a moment.");
  if (facts.hidesDotFiles) notes.push("The server hides names that begin with a dot: such files are not mirrored.");
  if (!facts.caseSensitive) notes.push("The server does not tell upper from lower case in names.");
  return notes;
}
