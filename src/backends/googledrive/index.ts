import { hashBytes } from "../../lib/hash.ts";
import { createHttpClient } from "../../lib/http-client.ts";
import { randomFraction } from "../../lib/random.ts";
import type { Channel } from "../channel.ts";
import { BackendError } from "../errors.ts";
import type { BackendConfig, BackendDeps, BackendModule, Finding, Looked, Probed, SignedIn, Talk } from "../module.ts";
import type { Backend, CallOptions } from "../types.ts";
import { CAPABILITIES, createDriveBackend } from "./backend.ts";
import { createClient, type DriveClient } from "./client.ts";
import { DRIVE_SCOPE, formatDriveToken, PUBSUB_SCOPE, parseDriveToken, readClientFile } from "./credentials.ts";
import { loadFacts, type RootFacts, saveFacts } from "./facts.ts";
import { driveHosts } from "./hosts.ts";
import { lookAtRoot, probeRoot } from "./probe.ts";
import { pubsubPlace } from "./pubsub/place.ts";
import { createSession, type DriveSession } from "./session.ts";
import { signInToGoogle } from "./sign-in.ts";

/** One folder of Google Drive. */
export const googledrive: BackendModule = {
  kind: "googledrive",
  label: "Google Drive",
  remoteRoot: (config) => `https://drive.google.com/drive/folders/${folderOf(config)}`,
  signIn: (config, deps, talk) => signIn(config, deps, talk),
  inspect: (config, deps) => inspect(config, deps),
  prepare: (config, deps) => prepare(config, deps),
  check: (config, deps) => check(config, deps),
  known: async (config, deps) => {
    const facts = loadFacts(deps.stateFolder, keyOf(config, deps), deps.clock.now());
    return facts && { can: CAPABILITIES, created: false, notes: notesOn(facts) };
  },
  open: (config, deps) => open(config, deps),
  channel: (config, deps) => channel(config, deps),
  async checkChannel(config, deps, { make }) {
    const place = pubsubPlace(config);
    if (place === undefined) return [];
    const { checkPubsub } = await import("./pubsub/setup.ts");
    return checkPubsub(place, { config, deps, make });
  },
};

function folderOf({ driveFolderId }: BackendConfig): string {
  if (driveFolderId !== "") return driveFolderId;
  throw new BackendError("Could not use Google Drive: drive_folder_id is not set", {
    class: "FILE_REJECTED",
    hint: "Run claude-mirror init --drive-folder-id ID, with the long word after /folders/ in the folder's address.",
  });
}

interface Connected {
  readonly client: DriveClient;
  readonly session: DriveSession;
}

function connect({ clock, env, tokens, log, authLog = log }: BackendDeps): Connected {
  const hosts = driveHosts(env);
  const http = createHttpClient();
  const session = createSession({ tokens, http, address: hosts.token, clock, random: randomFraction, log: authLog });
  return { session, client: createClient({ http, hosts, session, clock, random: randomFraction }) };
}

function callOf({ signal }: BackendDeps): CallOptions {
  return signal === undefined ? {} : { signal };
}

/** Whose view of which folder: what is kept of another one is not believed. */
function keyOf(config: BackendConfig, { tokens }: BackendDeps): string {
  const token = parseDriveToken(tokens.read() ?? "");
  const who = token?.account || hashBytes("sha256", token?.refresh ?? "").slice(0, 12);
  return `${folderOf(config)} ${who}`;
}

async function signIn(config: BackendConfig, deps: BackendDeps, talk: Talk): Promise<SignedIn> {
  folderOf(config);
  const { clock, env, tokens, signal } = deps;
  const client = readClientFile(config.credentialsFile);
  const http = createHttpClient();
  const token = await signInToGoogle({ client, hosts: driveHosts(env), http, clock, talk, signal }).finally(() =>
    http.close(),
  );
  tokens.write(formatDriveToken(token));
  const account = await accountOf(deps);
  tokens.write(formatDriveToken({ ...token, account }));
  const notes = token.scopes.includes(PUBSUB_SCOPE) ? [] : [NO_PUBSUB];
  return { ...(account === "" ? {} : { account }), notes };
}

const NO_PUBSUB =
  "The consent does not cover Pub/Sub: other machines' changes are polled for, and none of this machine's is announced.";

async function accountOf(deps: BackendDeps): Promise<string> {
  const { client } = connect(deps);
  try {
    const what = { what: "look who signed in", changes: false, ...callOf(deps) };
    const about = await client.call(what, (sdk) => client.v3.about.get({ fields: "user(emailAddress)" }, sdk));
    return about.user?.emailAddress ?? "";
  } finally {
    client.close();
  }
}

function inspect(config: BackendConfig, { tokens }: BackendDeps): readonly Finding[] {
  const findings: Finding[] = [];
  if (config.driveFolderId === "") {
    const hint =
      "Run claude-mirror init --drive-folder-id ID, with the long word after /folders/ in the folder's address.";
    findings.push({ name: "drive_folder_id", state: "failed", detail: "it is not set", hint });
  }
  const text = tokens.read();
  const token = text === undefined ? undefined : parseDriveToken(text);
  if (text !== undefined && token === undefined) {
    findings.push({
      name: "token file",
      state: "failed",
      detail: "it holds no Google sign-in",
      hint: "Run claude-mirror auth.",
    });
  }
  if (token !== undefined && token.scopes.length > 0 && !token.scopes.includes(DRIVE_SCOPE)) {
    const hint = "Run claude-mirror auth and tick every box of the consent page.";
    findings.push({ name: "consent", state: "failed", detail: "it does not cover Google Drive", hint });
  }
  if (token !== undefined && config.pubsubTopicId !== "" && !token.scopes.includes(PUBSUB_SCOPE)) {
    const hint = "Run claude-mirror auth and tick every box of the consent page.";
    findings.push({ name: "consent", state: "warning", detail: "it does not cover Pub/Sub", hint });
  }
  findings.push(...topicFindings(config));
  return [...findings, credentialsFinding(config, token !== undefined)];
}

function topicFindings({ gcpProjectId, pubsubTopicId }: BackendConfig): Finding[] {
  if ((gcpProjectId === "") === (pubsubTopicId === "")) return [];
  const [missing, flag] =
    gcpProjectId === "" ? ["gcp_project_id", "--gcp-project-id"] : ["pubsub_topic_id", "--pubsub-topic-id"];
  const hint = `Run claude-mirror init ${flag} ID; without it changes of others are looked for every poll_interval.`;
  return [{ name: missing, state: "warning", detail: "it is not set, so that Pub/Sub is not used", hint }];
}

/** Only signing in needs the file: a token works without it. */
function credentialsFinding({ credentialsFile }: BackendConfig, signedIn: boolean): Finding {
  try {
    readClientFile(credentialsFile);
    return { name: "credentials file", state: "ok", detail: credentialsFile };
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return { name: "credentials file", state: signedIn ? "warning" : "failed", detail: error.message, ...hint };
  }
}

async function prepare(config: BackendConfig, deps: BackendDeps): Promise<Probed> {
  const { client, session } = connect(deps);
  try {
    const facts = await findFacts(config, deps, { client, session });
    return { can: CAPABILITIES, created: false, notes: notesOn(facts) };
  } finally {
    client.close();
  }
}

async function findFacts(config: BackendConfig, deps: BackendDeps, { client, session }: Connected): Promise<RootFacts> {
  const folder = await lookAtRoot(client, folderOf(config), session.account(), callOf(deps));
  const facts = await probeRoot(client, folder, callOf(deps));
  saveFacts(deps.stateFolder, keyOf(config, deps), facts, deps.clock.now());
  return facts;
}

async function check(config: BackendConfig, deps: BackendDeps): Promise<Looked> {
  const { client, session } = connect(deps);
  try {
    await session.probe(deps.signal);
    await lookAtRoot(client, folderOf(config), session.account(), callOf(deps));
    const serverTimeMs = client.serverTimeMs();
    const account = session.account();
    return { ...(serverTimeMs === undefined ? {} : { serverTimeMs }), ...(account === "" ? {} : { account }) };
  } finally {
    client.close();
  }
}

async function open(config: BackendConfig, deps: BackendDeps): Promise<Backend> {
  const key = keyOf(config, deps);
  const connected = connect(deps);
  const { clock, stateFolder } = deps;
  const facts = loadFacts(stateFolder, key, clock.now()) ?? (await unproven(config, deps, connected));
  return createDriveBackend({ client: connected.client, facts, stateFolder, key, clock });
}

async function channel(config: BackendConfig, deps: BackendDeps): Promise<Channel | undefined> {
  const place = pubsubPlace(config);
  if (place === undefined) return undefined;
  const { pubsubChannel } = await import("./pubsub/channel.ts");
  return pubsubChannel(place, config, deps);
}

/** What a look tells without writing anything. A folder that is gone is told by its listing. */
async function unproven(config: BackendConfig, deps: BackendDeps, { client, session }: Connected): Promise<RootFacts> {
  const rootId = folderOf(config);
  try {
    const folder = await lookAtRoot(client, rootId, session.account(), callOf(deps));
    const { id, driveId, ownedByMe } = folder;
    const found = { rootId: id ?? rootId, driveId: driveId ?? undefined, owned: ownedByMe === true, ifMatch: false };
    saveFacts(deps.stateFolder, keyOf(config, deps), found, deps.clock.now());
    return found;
  } catch (error) {
    if (error instanceof BackendError && error.status === 404) return { rootId, owned: false, ifMatch: false };
    throw error;
  }
}

/** What a person should know about the folder, one line each. */
function notesOn({ driveId, owned, ifMatch }: RootFacts): string[] {
  const notes: string[] = [];
  if (driveId !== undefined) notes.push("The folder lies in a shared drive.");
  else if (!owned) notes.push("The folder belongs to somebody else: only they can remove for good what they own.");
  if (ifMatch) notes.push("Google Drive refuses to replace a file that has changed meanwhile.");
  notes.push(
    "Two machines that create one name at the same moment both succeed: the newer file becomes a conflict copy.",
  );
  return notes;
}
