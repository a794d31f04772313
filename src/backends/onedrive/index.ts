import { randomId } from "../../lib/random.ts";
import { fromBytes } from "../../lib/streams.ts";
import { BackendError, StaleError } from "../errors.ts";
import type { BackendConfig, BackendDeps, BackendModule, Finding, Looked, Probed } from "../module.ts";
import type { NodeIndex } from "../nodes/node-index.ts";
import type { Backend, CallOptions } from "../types.ts";
import { openOneDriveAccess, parseTokenFile } from "./access.ts";
import { createOneDriveBackend } from "./backend.ts";
import { capabilities, type Facts, loadFacts, saveFacts, UNPROVEN } from "./facts.ts";
import { createGraph, type Graph, textAt } from "./graph.ts";
import { openIndex } from "./listing.ts";
import { rootFolder } from "./names.ts";
import { findPlace, makePlace, type Place } from "./place.ts";
import { addressOf, createLocator, createSeen, FolderGoneError, type Remote } from "./remote.ts";

/** Microsoft OneDrive, personal and for work, by Microsoft Graph. */
export const onedrive: BackendModule = {
  kind: "onedrive",
  label: "OneDrive",
  remoteRoot: (config) => `onedrive:/${rootFolder(config)}`,
  signIn: async (config, deps, talk) => (await import("./sign-in.ts")).signIn(config, deps, talk),
  inspect,
  prepare,
  check,
  async known(config, deps) {
    const facts = loadFacts(deps.stateFolder, rootFolder(config), deps.clock.now());
    return facts && { can: capabilities(facts), created: false, notes: notesOn(facts) };
  },
  open,
};

function inspect(config: BackendConfig, deps: BackendDeps): readonly Finding[] {
  const findings: Finding[] = [];
  const failed = (name: string, detail: string, hint: string) =>
    void findings.push({ name, state: "failed", detail, hint });
  if (config.onedriveClientId === "") {
    failed("app", "onedrive_client_id is not set", "Run claude-mirror init --onedrive-client-id ID.");
  }
  try {
    rootFolder(config);
  } catch (error) {
    failed("remote folder", (error as Error).message, "Run claude-mirror init --onedrive-folder claude-mirror/NAME.");
  }
  const text = deps.tokens.read();
  if (text === undefined) return findings;
  try {
    parseTokenFile(text);
  } catch (error) {
    failed("sign-in", (error as Error).message, "Run claude-mirror auth.");
  }
  return findings;
}

const callOf = ({ signal }: BackendDeps): CallOptions => (signal === undefined ? {} : { signal });

async function withGraph<T>(config: BackendConfig, deps: BackendDeps, use: (graph: Graph) => Promise<T>): Promise<T> {
  const graph = createGraph(openOneDriveAccess(config, deps), deps);
  try {
    return await use(graph);
  } finally {
    graph.close();
  }
}

function prepare(config: BackendConfig, deps: BackendDeps): Promise<Probed> {
  const folder = rootFolder(config);
  const call = callOf(deps);
  return withGraph(config, deps, async (graph) => {
    let place = await findPlace(graph, folder, call);
    const created = place === undefined;
    if (place === undefined) {
      await makePlace(graph, folder, call);
      place = await findPlace(graph, folder, call);
    }
    if (place === undefined) throw new FolderGoneError(folder);
    const facts = await probe(graph, place, deps);
    saveFacts(deps.stateFolder, folder, facts);
    return { can: capabilities(facts), created, notes: notesOn(facts) };
  });
}

/** What no document says of uploads is tried out on a file of our own, which goes again. */
async function probe(graph: Graph, place: Place, deps: BackendDeps): Promise<Facts> {
  const call = callOf(deps);
  const name = `claude-mirror-probe-${randomId()}.tmp`;
  const address = addressOf(place, name as Parameters<typeof addressOf>[1]);
  const what = "find out what the remote can do";
  const put = (text: string, behavior: string, headers: Readonly<Record<string, string>> = {}) =>
    graph.call({
      method: "PUT",
      path: `${address}/content?${encodeURIComponent("@microsoft.graph.conflictBehavior")}=${behavior}`,
      what,
      headers: { "Content-Type": "application/octet-stream", ...headers },
      body: { size: text.length, open: () => fromBytes(text) },
      ...call,
    });
  const isRefused = (act: Promise<unknown>): Promise<boolean> =>
    act.then(
      () => false,
      (error: unknown) => {
        if (error instanceof StaleError) return true;
        throw error;
      },
    );
  const about = await graph.call({ method: "GET", path: driveOf(place), what, ...call });
  const { body } = await put("1", "fail");
  const etag = textAt(body, "eTag") ?? "";
  try {
    const creates = await isRefused(put("2", "fail"));
    const guards = await isRefused(put("3", "replace", { "If-Match": '"{00000000-0000-0000-0000-000000000000},1"' }));
    const accepts = guards && !(await isRefused(put("4", "replace", { "If-Match": etag })));
    return {
      place,
      update: accepts ? "if-match" : UNPROVEN.update,
      create: creates ? "fail" : "look",
      driveType: textAt(about.body, "driveType") ?? "",
      probedMs: deps.clock.now(),
    };
  } finally {
    const item = `${place.drive}/items/${textAt(body, "id") ?? ""}`;
    await graph.call({ method: "DELETE", path: item, what, ...call }).catch(() => undefined);
  }
}

const driveOf = ({ drive }: Place) => `${drive}?$select=id,driveType`;

function check(config: BackendConfig, deps: BackendDeps): Promise<Looked> {
  const folder = rootFolder(config);
  return withGraph(config, deps, async (graph) => {
    if ((await findPlace(graph, folder, callOf(deps))) === undefined) throw new FolderGoneError(folder);
    const serverTimeMs = graph.serverTimeMs();
    const [account] = parseTokenFile(deps.tokens.read()).accounts;
    return {
      ...(serverTimeMs === undefined ? {} : { serverTimeMs }),
      ...(account === undefined ? {} : { account }),
    };
  });
}

async function open(config: BackendConfig, deps: BackendDeps): Promise<Backend> {
  const folder = rootFolder(config);
  const graph = createGraph(openOneDriveAccess(config, deps), deps);
  const kept = loadFacts(deps.stateFolder, folder, deps.clock.now());
  const { place, ...facts } = kept ?? (await prove(graph, folder, deps));
  const indexes = new Map<string, NodeIndex>();
  const locator = createLocator(() => remote);
  const remote: Remote = {
    graph,
    clock: deps.clock,
    stateFolder: deps.stateFolder,
    folder,
    facts,
    known: { place },
    ...locator,
    index(at) {
      const key = `${at.driveId} ${at.shared ? at.rootId : ""}`;
      const index = indexes.get(key) ?? openIndex(graph, at, folder, deps);
      indexes.set(key, index);
      return index;
    },
    seen: createSeen(),
  };
  return createOneDriveBackend(remote);
}

/** Proves the facts anew; a folder that is missing or cannot be written to is used with nothing proven. */
async function prove(graph: Graph, folder: string, deps: BackendDeps): Promise<Omit<Facts, "place"> & At> {
  const place = await findPlace(graph, folder, callOf(deps));
  const unproven = { ...UNPROVEN, place, probedMs: deps.clock.now() };
  if (place === undefined) return unproven;
  try {
    const facts = await probe(graph, place, deps);
    saveFacts(deps.stateFolder, folder, facts);
    return facts;
  } catch (error) {
    if (!(error instanceof BackendError) || (error.class !== "PERMISSION" && error.class !== "QUOTA")) throw error;
    deps.log?.(`onedrive: ${error.message}`);
    return unproven;
  }
}

interface At {
  readonly place: Place | undefined;
}

/** What a person should know about the account, one line each. */
function notesOn({ driveType, place, update, create }: Facts): string[] {
  const notes: string[] = [];
  if (driveType === "personal") notes.push("A personal OneDrive.");
  else if (driveType !== "") notes.push("A OneDrive for work or school.");
  if (place.shared) notes.push("The folder is shared by somebody else.");
  if (update === "session")
    notes.push("Uploads ignore preconditions here: each update goes through a session, which does not.");
  if (create === "look") {
    notes.push(
      "OneDrive replaces files that are only to be created: two machines creating one at the same moment can overwrite each other.",
    );
  }
  return notes;
}
