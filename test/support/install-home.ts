import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type CliRun, cli } from "./cli.ts";
import { tempFolder } from "./temp.ts";

/** Somebody's home folder, with programs of the system that only note how they were called. */
export interface InstallHome {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  install(...words: string[]): Promise<CliRun>;
  write(path: string, content: string | Buffer): void;
  read(path: string): string;
  has(path: string): boolean;
  /** Every file, link and folder below the home folder with what is in it. */
  everything(): Readonly<Record<string, string>>;
  /** The words of every call of systemctl so far. */
  calls(): readonly string[];
}

export interface InstallHomeOptions {
  readonly shell?: string;
  /** What systemctl says before it fails. */
  readonly systemctlFails?: string;
  readonly systemctl?: boolean;
}

export function installHome(options: InstallHomeOptions = {}): InstallHome {
  const home = tempFolder("install");
  const [bin, log] = [tempFolder("install-bin"), join(tempFolder("install-log"), "calls")];
  const fails = options.systemctlFails;
  const script = fails === undefined ? `echo "$@" >> '${log}'` : `echo '${fails}' >&2; exit 1`;
  writeProgram(join(bin, "claude-mirror"), "exit 0");
  if (options.systemctl !== false) writeProgram(join(bin, "systemctl"), script);
  const env = { HOME: home, PATH: bin, SHELL: options.shell ?? "/bin/bash" };
  const at = (path: string) => join(home, path);
  return {
    home,
    env,
    install: (...words) => cli(["install", ...words], { env, home, cwd: home }),
    write(path, content) {
      mkdirSync(dirname(at(path)), { recursive: true });
      writeFileSync(at(path), content);
    },
    read: (path) => readFileSync(at(path), "utf8"),
    has: (path) => existsSync(at(path)),
    everything: () => Object.fromEntries(everyEntry(home)),
    calls: () => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []),
  };
}

/** An executable for /bin/sh. */
export function writeProgram(file: string, script: string): void {
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

function everyEntry(home: string): [string, string][] {
  const names = readdirSync(home, { recursive: true, encoding: "utf8" });
  return names.sort().map((name) => {
    const stat = lstatSync(join(home, name));
    if (stat.isDirectory()) return [name, "folder"];
    return [name, stat.isSymbolicLink() ? readlinkSync(join(home, name)) : readFileSync(join(home, name), "latin1")];
  });
}
