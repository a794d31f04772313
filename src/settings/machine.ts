import { readFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
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
    userName: env["USER"] || env["LOGNAME"] || env["USERNAME"] || accountName(PASSWD, process.getuid?.()) || "unknown",
  };
}

const PASSWD = "/etc/passwd";

/**
 * The account with this number in a file of the form of passwd(5); undefined where it is not listed there. Asked for
 * where the runtimes' own `userInfo` goes by the environment, too.
 */
export function accountName(file: string, uid: number | undefined): string | undefined {
  try {
    const accounts = readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.split(":"));
    return accounts.find(([, , number]) => number !== undefined && number === String(uid))?.[0];
  } catch {
    return undefined;
  }
}
