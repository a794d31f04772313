import type { Clock } from "../lib/clock.ts";
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
}

/** What signs in; read by the caller, so that no backend knows where secrets are kept. */
export interface Secret {
  readonly username: string;
  readonly password: string;
}

export interface BackendDeps {
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute path of the folder that keeps what this machine knows about the project, probe results among it. */
  readonly stateFolder: string;
  readonly secret?: Secret | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Takes one line about what is going on, for the debug log. Never given a secret. */
  readonly log?: ((line: string) => void) | undefined;
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
}

/** One kind of storage. Every function throws a BackendError (or AbortError) and nothing else. */
export interface BackendModule {
  readonly kind: BackendKind;
  /** For a person: `local folder`, `WebDAV`. */
  readonly label: string;
  /** The remote folder in one canonical spelling: part of the project's id, shown by `doctor`. Holds no secret. */
  remoteRoot(config: BackendConfig): string;
  /** Creates the base folder when it is missing and finds out what the remote can do. Only setup calls this. */
  prepare(config: BackendConfig, deps: BackendDeps): Promise<Probed>;
  /** Signs in and looks at the base folder in as few requests as that takes; changes nothing. */
  check(config: BackendConfig, deps: BackendDeps): Promise<Looked>;
  /**
   * What is known about the remote without writing to it, from an earlier setup or by looking; undefined when only
   * `prepare` can find it out.
   */
  known(config: BackendConfig, deps: BackendDeps): Promise<Probed | undefined>;
  /** Costs no request where the facts are cached. Never creates the base folder. */
  open(config: BackendConfig, deps: BackendDeps): Promise<Backend>;
}
