import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import type { FakeDrive } from "../fakes/googledrive/server.ts";
import { FOLDER } from "../fakes/googledrive/store.ts";
import { type CloudLab, cloudLab } from "./cloud-lab.ts";
import { credentialsJson, driveEnv, driveToken } from "./googledrive.ts";

let accounts = 0;

/** Calls that belong together gather for longer, so that a slow machine counts the same batches. */
const PATIENT: Clock = {
  now: () => systemClock.now(),
  sleep: (ms, signal) => systemClock.sleep(ms < 100 ? ms * 4 : ms, signal),
};

/** With an account of its own. */
export interface DriveLab extends CloudLab {
  readonly user: string;
  /** Id of the remote folder. */
  readonly root: string;
  readonly token: string;
}

export interface DriveLabOptions {
  /** Another machine of the same account and folder. */
  readonly like?: Pick<DriveLab, "user" | "root">;
  /** False leaves signing in to the test; `by auth` does it as a person does, which proves how writes are guarded. */
  readonly signedIn?: boolean | "by auth";
}

export async function driveLab(fake: FakeDrive, options: DriveLabOptions = {}): Promise<DriveLab> {
  const lab = cloudLab({ env: driveEnv(fake), counter: fake, counting: { clock: PATIENT } });
  const user = options.like?.user ?? `lab-${++accounts}@example.com`;
  const root = options.like?.root ?? fake.store.create(user, { name: "lab", mimeType: FOLDER }, undefined).id;
  const credentials = join(lab.configDir, "credentials.json");
  const token = join(lab.configDir, "token.json");
  mkdirSync(lab.configDir, { recursive: true });
  writeFileSync(credentials, credentialsJson());
  await lab.ok("init", "--drive-folder-id", root, "--credentials-file", credentials, "--patterns", "**/*");
  if (options.signedIn === "by auth") {
    const browser = join(lab.home, "browser");
    writeFileSync(browser, '#!/bin/sh\nexec curl -sL -o /dev/null "$1"\n', { mode: 0o755 });
    fake.oauth.user = user;
    const signed = await lab.run(["auth"], { env: { BROWSER: browser } });
    if (signed.code !== 0) throw new Error(signed.stderr);
  } else if (options.signedIn !== false) writeFileSync(token, driveToken(fake, user), { mode: 0o600 });
  return { ...lab, user, root, token };
}
