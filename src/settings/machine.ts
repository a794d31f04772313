import { homedir, hostname, userInfo } from "node:os";
import { configDir, type Env, homeFrom } from "../lib/dirs.ts";

/** What the defaults of a project's settings are made from. */
export interface Machine {
  /** Absolute. */
  readonly home: string;
  /** Absolute folder of the project YAMLs. */
  readonly configDir: string;
  readonly hostName: string;
  readonly userName: string;
}

/**
 * This machine, as the Python tool's defaults see it: `socket.gethostname()`, and `$USER` or `unknown`; where cron and the
 * like set no USER the system still knows the account.
 */
export function machineFrom(env: Env): Machine {
  const home = homeFrom(env) ?? homedir();
  return {
    home,
    configDir: configDir(env, home),
    hostName: hostname(),
    userName: env["USER"] || env["USERNAME"] || accountName() || "unknown",
  };
}

/** Undefined for an account that the system has no name for, as in some containers. */
function accountName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
