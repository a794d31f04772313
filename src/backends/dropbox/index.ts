import type { users } from "dropbox";
import { BackendError, NotFoundError } from "../errors.ts";
import type { BackendConfig, BackendDeps, BackendModule, Finding, Probed } from "../module.ts";
import { markOf, parseToken } from "./access.ts";
import { CAPABILITIES, createDropboxBackend } from "./backend.ts";
import { createClient, type DropboxClient } from "./client.ts";
import { rootPath } from "./paths.ts";
import { signIn } from "./sign-in.ts";

/** A folder of a Dropbox account, by the API v2. */
export const dropbox: BackendModule = {
  kind: "dropbox",
  label: "Dropbox",
  // Two apps with a folder of their own each see another place under one path.
  remoteRoot: (config) => `dropbox://${config.dropboxAppKey}${rootPath(config) || "/"}`,
  async signIn(config, deps, talk) {
    await signIn(config, deps, talk);
    const account = await withClient(deps, (client) => accountOf(client, deps));
    return account === undefined ? {} : { account };
  },
  inspect,
  prepare: (config, deps) => withClient(deps, (client) => prepare(config, client, deps)),
  check: (config, deps) =>
    withClient(deps, async (client) => {
      const account = await accountOf(client, deps);
      if (await rootExists(config, client, deps)) return account === undefined ? {} : { account };
      throw new BackendError(`Could not find the folder "${config.dropboxFolder}" on Dropbox: it is not there`, {
        class: "FILE_REJECTED",
        status: 404,
        hint: "Check dropbox_folder; claude-mirror auth makes the folder.",
      });
    }),
  known: async (config) => {
    rootPath(config);
    return { can: CAPABILITIES, created: false, notes: NOTES };
  },
  async open(config, deps) {
    const root = rootPath(config);
    const token = parseToken(deps.tokens.read());
    const key = `${token === undefined ? "" : markOf(token)} ${root}`;
    return createDropboxBackend({ client: createClient(deps), root, key, deps });
  },
};

const NOTES = ["Dropbox does not tell upper from lower case in names."];

async function withClient<T>(deps: BackendDeps, use: (client: DropboxClient) => Promise<T>): Promise<T> {
  const client = createClient(deps);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

async function prepare(config: BackendConfig, client: DropboxClient, deps: BackendDeps): Promise<Probed> {
  const root = rootPath(config);
  const created = !(await rootExists(config, client, deps));
  if (created) {
    await client.call({ what: `make the folder "${root}"`, changes: true, signal: deps.signal }, (sdk, options) =>
      sdk.filesCreateFolderV2({ path: root, autorename: false }, options),
    );
  }
  return { can: CAPABILITIES, created, notes: NOTES };
}

async function rootExists(config: BackendConfig, client: DropboxClient, { signal }: BackendDeps): Promise<boolean> {
  const root = rootPath(config);
  const what = `look at the folder "${root || "/"}"`;
  try {
    // The whole of a Dropbox has no metadata; a look into it also shows that we may.
    if (root === "") {
      await client.call({ what, signal }, (sdk, options) => sdk.filesListFolder({ path: "", limit: 1 }, options));
      return true;
    }
    const { result } = await client.call({ what, signal }, (sdk, options) =>
      sdk.filesGetMetadata({ path: root }, options),
    );
    if (result[".tag"] === "folder") return true;
  } catch (error) {
    if (error instanceof NotFoundError) return false;
    throw error;
  }
  throw new BackendError(`Could not use "${root}" on Dropbox: it is a file, not a folder`, { class: "FILE_REJECTED" });
}

/** The account's address; undefined where the app may not know it. */
async function accountOf(client: DropboxClient, { signal }: BackendDeps): Promise<string | undefined> {
  try {
    const { result } = await client.call<users.FullAccount>({ what: "sign in to Dropbox", signal }, (sdk, options) =>
      sdk.usersGetCurrentAccount(options),
    );
    return result.email;
  } catch (error) {
    if (error instanceof BackendError && error.message.includes("lacks the permission")) return undefined;
    throw error;
  }
}

function inspect(config: BackendConfig, deps: BackendDeps): Finding[] {
  const findings: Finding[] = [];
  if (config.dropboxAppKey === "") {
    findings.push({
      name: "app",
      state: "failed",
      detail: "dropbox_app_key is not set",
      hint: "Run claude-mirror init --dropbox-app-key KEY, then claude-mirror auth.",
    });
  }
  try {
    const token = parseToken(deps.tokens.read());
    if (token && config.dropboxAppKey !== "" && token.appKey !== config.dropboxAppKey) {
      findings.push({
        name: "app",
        state: "warning",
        detail: `dropbox_app_key is "${config.dropboxAppKey}", but the token file signs in with "${token.appKey}"`,
        hint: "Run claude-mirror auth.",
      });
    }
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    findings.push({
      name: "sign-in",
      state: "failed",
      detail: error.message,
      hint: error.hint ?? "Run claude-mirror auth.",
    });
  }
  return findings;
}
