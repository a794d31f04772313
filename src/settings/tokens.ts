import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { dumpPython } from "../lib/json.ts";
import { readSecret, writeSecret } from "../lib/secrets.ts";
import { readOutline } from "./discovery.ts";
import { SettingsError } from "./errors.ts";
import type { ProjectConfig } from "./model.ts";

export interface WebdavToken {
  readonly username: string;
  readonly password: string;
}

/** Undefined when there is no file. Throws SettingsError for a file that is not the JSON of reference 1.11. */
export function readWebdavToken(file: string): WebdavToken | undefined {
  const text = readToken(file);
  if (text === undefined) return undefined;
  const value = parseJson(text);
  if (typeof value?.["password"] !== "string") {
    throw new SettingsError(file, "it is no WebDAV token file; run `claude-mirror auth` to write it anew");
  }
  return { username: typeof value["username"] === "string" ? value["username"] : "", password: value["password"] };
}

/** Writes the token file as the Python tool spells it (reference 1.11), mode 0600, atomically. */
export function writeWebdavToken(file: string, token: WebdavToken): void {
  writeSecret(file, dumpPython({ username: token.username, password: token.password }));
}

export interface WebdavSecret extends WebdavToken {
  /** Where the password was found. A YAML is the wrong place: `auth` moves it. */
  readonly from: "token file" | "settings";
}

/** What signs in: the token file, else the password in the YAML; undefined when there is neither. */
export function webdavSecret(config: ProjectConfig): WebdavSecret | undefined {
  const token = readWebdavToken(config.tokenFile);
  if (token) return { ...token, username: token.username || config.webdavUsername, from: "token file" };
  if (config.webdavPassword === "") return undefined;
  return { username: config.webdavUsername, password: config.webdavPassword, from: "settings" };
}

export interface TokenNameRequest {
  readonly backend: "webdav" | "dropbox" | "onedrive";
  /** Absolute. */
  readonly projectPath: string;
  /** Absolute path of the YAML that the token is for. */
  readonly configFile: string;
  readonly configDir: string;
  readonly home: string;
  /** Absolute paths of the other YAMLs: a token file that one of them names is theirs. */
  readonly otherConfigs: readonly string[];
}

/** Where a new config's token goes: the seed's name, or one made from the config's own where that is taken (decision 25). */
export function defaultTokenFile(request: TokenNameRequest): string {
  const { backend, configDir, configFile } = request;
  const seedName = join(configDir, `${backend}-${basename(request.projectPath)}-token.json`);
  const ownName = join(configDir, `${backend}-${basename(configFile, ".yaml")}-token.json`);
  return existsSync(seedName) || isNamedByOther(seedName, request) ? ownName : seedName;
}

function isNamedByOther(token: string, { otherConfigs, configFile, home }: TokenNameRequest): boolean {
  return otherConfigs.some((file) => {
    if (file === configFile) return false;
    try {
      return readOutline(file, home).tokenFile === token;
    } catch (error) {
      // A config that cannot be read names nothing; discovery reports it.
      if (error instanceof SettingsError) return false;
      throw error;
    }
  });
}

function readToken(file: string): string | undefined {
  try {
    return readSecret(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    throw new SettingsError(file, `the token cannot be read (${code}); check the permissions of the file`, {
      cause: error,
    });
  }
}

/** The parser's own error is dropped: it quotes the text, which is a secret. */
function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
