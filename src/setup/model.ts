import type { BackendKind, GuardLevel } from "../backends/types.ts";

/** What `init` was asked for. Paths are absolute, `~` expanded. Undefined means: leave it as it is. */
export interface InitRequest {
  /** The project folder; the one of `config`, else the current folder, when left out. */
  readonly project?: string | undefined;
  /** The folder may be missing: whoever asks makes it. */
  readonly newProject?: boolean;
  readonly config?: string | undefined;
  readonly backend?: string | undefined;
  readonly localFolder?: string | undefined;
  readonly webdavUrl?: string | undefined;
  readonly webdavUsername?: string | undefined;
  readonly webdavInsecureHttp?: boolean | undefined;
  /** Goes to the token file, never to the settings. */
  readonly password?: GivenPassword | undefined;
  readonly driveFolderId?: string | undefined;
  readonly gcpProjectId?: string | undefined;
  readonly pubsubTopicId?: string | undefined;
  readonly credentialsFile?: string | undefined;
  readonly dropboxAppKey?: string | undefined;
  readonly dropboxFolder?: string | undefined;
  readonly onedriveClientId?: string | undefined;
  readonly onedriveFolder?: string | undefined;
  readonly onedriveAuthority?: string | undefined;
  readonly tokenFile?: string | undefined;
  /** Seconds. */
  readonly pollInterval?: number | undefined;
  readonly slack?: boolean | undefined;
  readonly slackWebhookUrl?: string | undefined;
  readonly slackChannel?: string | undefined;
  readonly snapshotFormat?: string | undefined;
  /** Empty: not given. */
  readonly patterns: readonly string[];
  readonly exclude: readonly string[];
  /** Keys of the settings that are to say nothing from now on. */
  readonly emptied?: readonly string[];
  readonly dryRun: boolean;
}

export interface GivenPassword {
  readonly text: string;
  /** One from the environment is taken only where a password is needed: it may be meant for another project. */
  readonly from: "option" | "environment";
}

export interface InitResult {
  readonly configFile: string;
  readonly projectPath: string;
  readonly backend: BackendKind;
  /** The remote folder in its canonical spelling; null where this version cannot use the backend. */
  readonly remote: string | null;
  readonly remoteCreated: boolean;
  readonly created: boolean;
  /** Keys that were, or would be, changed in settings that existed; sorted. */
  readonly changed: readonly string[];
  readonly filePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
  /** Where the password went, or would go; null when none was given. */
  readonly passwordFile: string | null;
  readonly dryRun: boolean;
  readonly hints: readonly string[];
  /** What a new project's `.gitignore` lacks; null when nothing, or where there is no git work tree. */
  readonly gitignore: GitignoreOffer | null;
  /** The command to run next; null when there is nothing left to set up. */
  readonly next: string | null;
}

export interface GitignoreOffer {
  readonly file: string;
  readonly lines: readonly string[];
}

export interface AuthResult {
  readonly configFile: string;
  readonly backend: BackendKind;
  readonly remote: string;
  readonly username: string | null;
  /** Null where no sign-in is needed. */
  readonly tokenFile: string | null;
  readonly tokenWritten: boolean;
  /** Whether a password was taken out of the settings. */
  readonly moved: boolean;
  /** Whether the remote folder was made. */
  readonly created: boolean;
  readonly guard: GuardLevel | null;
  /** The guard level in plain words; empty when it was not looked for. */
  readonly guarantee: string;
  readonly notes: readonly string[];
  /** `check`: only looked, nothing was changed. */
  readonly mode: "signed in" | "check" | "dry run";
}

export type ProfileValue = string | number | boolean | null | readonly string[];

/** One profile, in the shape of the `--json` result. */
export interface ProfileInfo {
  readonly name: string;
  /** Absolute. */
  readonly file: string;
  readonly backend: string | null;
  readonly description: string | null;
  /** The configs that name it. */
  readonly used_by: readonly string[];
  /** Its settings by key, secrets left out; only where one profile is shown. */
  readonly settings?: Readonly<Record<string, ProfileValue>>;
  /** Why it cannot be read. */
  readonly problem?: string;
}
