import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import type { FakeDrive } from "../fakes/googledrive/server.ts";
import { FOLDER } from "../fakes/googledrive/store.ts";
import type { CliOptions, CliRun } from "./cli.ts";
import { credentialsJson, driveEnv, driveToken } from "./googledrive.ts";
import { type SetupLab, setupLab } from "./setup-lab.ts";

let accounts = 0;

/** Calls that belong together gather for longer, so that a slow machine counts the same batches. */
const PATIENT: Clock = {
  now: () => systemClock.now(),
  sleep: (ms, signal) => systemClock.sleep(ms < 100 ? ms * 4 : ms, signal),
};

/** A machine with a project on the fake, run inside this process, with an account of its own. */
export interface DriveLab extends SetupLab {
  readonly user: string;
  /** Id of the remote folder. */
  readonly root: string;
  readonly token: string;
  /** Runs a command that must exit 0 and counts the requests that it took. */
  requests(words: readonly string[]): Promise<number>;
  write(path: string, content: string): void;
}

export interface DriveLabOptions {
  /** Another machine of the same account and folder. */
  readonly like?: Pick<DriveLab, "user" | "root">;
  /** False leaves signing in to the test; `by auth` does it as a person does, which proves how writes are guarded. */
  readonly signedIn?: boolean | "by auth";
}

export async function driveLab(fake: FakeDrive, options: DriveLabOptions = {}): Promise<DriveLab> {
  const plain = setupLab();
  const user = options.like?.user ?? `lab-${++accounts}@example.com`;
  const root = options.like?.root ?? fake.store.create(user, { name: "lab", mimeType: FOLDER }, undefined).id;
  const credentials = join(plain.configDir, "credentials.json");
  const token = join(plain.configDir, "token.json");
  mkdirSync(plain.configDir, { recursive: true });
  writeFileSync(credentials, credentialsJson());
  const run = (words: readonly string[], more: CliOptions = {}): Promise<CliRun> =>
    plain.run(words, { ...more, env: { ...driveEnv(fake), ...more.env } });
  const made = await run(["init", "--drive-folder-id", root, "--credentials-file", credentials, "--patterns", "**/*"]);
  if (made.code !== 0) throw new Error(made.stderr);
  if (options.signedIn === "by auth") {
    const browser = join(plain.home, "browser");
    writeFileSync(browser, '#!/bin/sh\nexec curl -sL -o /dev/null "$1"\n', { mode: 0o755 });
    fake.oauth.user = user;
    const signed = await run(["auth"], { env: { BROWSER: browser } });
    if (signed.code !== 0) throw new Error(signed.stderr);
  } else if (options.signedIn !== false) writeFileSync(token, driveToken(fake, user), { mode: 0o600 });
  return {
    ...plain,
    user,
    root,
    token,
    run,
    async json(words, more) {
      const { code, stdout, stderr } = await run([...words, "--json"], more);
      if (code !== 0) throw new Error(`${words.join(" ")}: exit ${code}: ${stderr}${stdout}`);
      return (JSON.parse(stdout) as { result: Record<string, unknown> }).result;
    },
    async requests(words) {
      fake.reset();
      const { code, stderr, stdout } = await run(words, { clock: PATIENT });
      if (code !== 0) throw new Error(`${words.join(" ")}: exit ${code}: ${stderr}${stdout}`);
      return fake.count();
    },
    write(path, content) {
      const file = join(plain.project, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    },
  };
}
