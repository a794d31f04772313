import type { Clock } from "../lib/clock.ts";
import type { Channel } from "./channel.ts";
import type { Backend, BackendKind, Capabilities } from "./types.ts";

/** The settings that backends read: the same names and meanings as in a project's settings (reference 1.2). */
export interface BackendConfig {
  readonly backend: BackendKind;
  readonly projectPath: string;
  /** Absolute path of the folder that plays the remote; `""` when the backend is another. */
  readonly localFolder: string;
  readonly webdavUrl: string;
  readonly webdavUsername: string;
  readonly webdavInsecureHttp: boolean;
  readonly driveFolderId: string;
  readonly gcpProjectId: string;
  readonly pubsubTopicId: string;
  /** Absolute path of Google's OAuth client file. */
  readonly credentialsFile: string;
  readonly dropboxAppKey: string;
  readonly dropboxFolder: string;
  readonly onedriveClientId: string;
  readonly onedriveFolder: string;
  /** The tenant part of Microsoft's sign-in address: `common`, `consumers`, `organizations` or a tenant's id. */
  readonly onedriveAuthority: string;
  /** Absolute path, for messages: what is in it comes from `BackendDeps.tokens`. */
  readonly tokenFile: string;
  /** What the Python tool calls this machine; two may have the same name. */
  readonly machineName: string;
}

/** What signs in; read by the caller, so that no backend knows where secrets are kept. */
export interface Secret {
  readonly username: string;
  readonly password: string;
}

/** The token file of a project (reference 1.11). Several projects may share one, and each writes it whole. */
export interface TokenStore {
  /** The file as it is now, undefined when there is none. Throws BackendError (AUTH) when it cannot be read. */
  read(): string | undefined;
  /** Replaces the file: readable by its owner alone, the old or the new text at every instant. */
  write(text: string): void;
  /**
   * Runs `fn` while no other process and no other call does so for this file: for a refresh that spends the old token.
   * Read again inside, for somebody else may have refreshed meanwhile.
   */
  locked<T>(fn: () => Promise<T>): Promise<T>;
}

/** A conversation with the person who signs in. */
export interface Talk {
  /** One line, shown at once, `--json` or not: the address to open, the code to type. */
  print(line: string): void;
  /** Opens a browser where that is sure to be in front of the person (a display, no SSH); true when it was started. */
  open(url: string): Promise<boolean>;
  /** Asks for a line of text, until the signal fires. Undefined where nobody can be asked. */
  readonly ask: ((question: string, options?: { readonly signal?: AbortSignal }) => Promise<string>) | undefined;
}

/** Who signed in. */
export interface SignedIn {
  /** Name or address of the account, for a person. */
  readonly account?: string;
  readonly notes?: readonly string[];
}

/** What settings and token alone tell, without a request. */
export interface Finding {
  readonly name: string;
  readonly state: "ok" | "warning" | "failed";
  readonly detail: string;
  /** The exact next step. */
  readonly hint?: string;
}

export interface BackendDeps {
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute path of the folder that keeps what this machine knows about the project, probe results among it. */
  readonly stateFolder: string;
  readonly secret?: Secret | undefined;
  readonly tokens: TokenStore;
  readonly signal?: AbortSignal | undefined;
  /** Takes one line about what is going on, for the debug log. Never given a secret. */
  readonly log?: ((line: string) => void) | undefined;
  /** Takes one line about each renewal of the sign-in, for who asked to see them. Never given a secret. */
  readonly authLog?: ((line: string) => void) | undefined;
}

/** What a setup found out about a remote. */
export interface Probed {
  readonly can: Capabilities;
  /** Whether the base folder had to be made. */
  readonly created: boolean;
  /** One line each for a person: the server's name, what it cannot do. */
  readonly notes: readonly string[];
}

/** What a look at the remote told by the way. */
export interface Looked {
  /** The server's clock in its answer, milliseconds since 1970, to the second. */
  readonly serverTimeMs?: number;
  /** Name or address of the account, for a person. */
  readonly account?: string;
}

/** One kind of storage. Every function throws a BackendError (or AbortError) and nothing else. */
export interface BackendModule {
  readonly kind: BackendKind;
  /** For a person: `local folder`, `WebDAV`. */
  readonly label: string;
  /** The remote folder in one canonical spelling: part of the project's id, shown by `doctor`. Holds no secret. */
  remoteRoot(config: BackendConfig): string;
  /**
   * Signs a person in and writes the token to `deps.tokens`, which keeps it only when this and the `prepare` after it
   * succeed. Present where a token is needed; nothing else of the module is called without one.
   */
  signIn?(config: BackendConfig, deps: BackendDeps, talk: Talk): Promise<SignedIn>;
  /** What is wrong with settings and token, for `doctor`. */
  inspect?(config: BackendConfig, deps: BackendDeps): readonly Finding[];
  /** Creates the base folder when it is missing and finds out what the remote can do. Only setup calls this. */
  prepare(config: BackendConfig, deps: BackendDeps): Promise<Probed>;
  /** Signs in and looks at the base folder in as few requests as that takes; changes nothing. */
  check(config: BackendConfig, deps: BackendDeps): Promise<Looked>;
  /**
   * What is known about the remote without writing to it, from an earlier setup or by looking; undefined when only
   * `prepare` can find it out.
   */
  known(config: BackendConfig, deps: BackendDeps): Promise<Probed | undefined>;
  /** Where machines tell one another what they did; undefined where the settings name no such place. Asks nothing. */
  channel?(config: BackendConfig, deps: BackendDeps): Promise<Channel | undefined>;
  /**
   * How that place stands, one finding a part; `make` makes what is missing. Empty where there is no such place. Never
   * fails for what the service says.
   */
  checkChannel?(
    config: BackendConfig,
    deps: BackendDeps,
    options: { readonly make: boolean },
  ): Promise<readonly Finding[]>;
  /** Costs no request where the facts are cached. Never creates the base folder. */
  open(config: BackendConfig, deps: BackendDeps): Promise<Backend>;
}
