import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatDriveToken } from "../../src/backends/googledrive/credentials.ts";
import { googledrive } from "../../src/backends/googledrive/index.ts";
import type { BackendConfig, BackendDeps } from "../../src/backends/module.ts";
import type { Backend } from "../../src/backends/types.ts";
import { CLIENT } from "../fakes/googledrive/oauth.ts";
import type { FakeDrive } from "../fakes/googledrive/server.ts";
import { FOLDER } from "../fakes/googledrive/store.ts";
import { backendConfig, backendDeps, memoryTokens } from "./backend-config.ts";
import { leapingClock } from "./leaping-clock.ts";

export const OWNER = "owner@example.com";

/** The environment that sends this program to the fake. */
export function driveEnv({ origin }: FakeDrive): Record<string, string> {
  return {
    CLAUDE_MIRROR_ENDPOINT_GOOGLEDRIVE_API: origin,
    CLAUDE_MIRROR_ENDPOINT_GOOGLEDRIVE_UPLOAD: origin,
    CLAUDE_MIRROR_ENDPOINT_GOOGLEDRIVE_AUTH: origin,
  };
}

/** A token file's text as `auth` leaves it. */
export function driveToken(fake: FakeDrive, user = OWNER): string {
  return formatDriveToken({
    ...{ clientId: CLIENT.client_id, clientSecret: CLIENT.client_secret },
    access: "",
    refresh: fake.oauth.grant(user),
    expiresMs: 0,
    scopes: ["https://www.googleapis.com/auth/drive", "https://www.googleapis.com/auth/pubsub"],
    account: user,
    other: {},
  });
}

/** The client file as Google's console gives it. */
export function credentialsJson(): string {
  return JSON.stringify({
    installed: {
      ...CLIENT,
      project_id: "claude-mirror-1",
      auth_uri: "https://accounts.google.com/o/oauth2/auth",
      token_uri: "https://oauth2.googleapis.com/token",
      auth_provider_x509_cert_url: "https://www.googleapis.com/oauth2/v1/certs",
      redirect_uris: ["http://localhost"],
    },
  });
}

export interface DrivePlace {
  readonly config: BackendConfig;
  readonly deps: BackendDeps;
  /** Id of the remote root. */
  readonly root: string;
  open(): Promise<Backend>;
  /** Another machine, of this account or another one. */
  other(user?: string): DrivePlace;
}

let machines = 0;

/** One machine that is signed in to a new folder of the fake, its state below `base` (absolute); its clock does not wait. */
export function drivePlace(
  fake: FakeDrive,
  base: string,
  options: { readonly root?: string; readonly user?: string; readonly deps?: Partial<BackendDeps> } = {},
): DrivePlace {
  const user = options.user ?? OWNER;
  const root = options.root ?? fake.store.create(user, { name: "project", mimeType: FOLDER }, undefined).id;
  const home = join(base, `machine-${++machines}`);
  const stateFolder = join(home, "state");
  mkdirSync(stateFolder, { recursive: true });
  const credentialsFile = join(home, "credentials.json");
  writeFileSync(credentialsFile, credentialsJson());
  const config = backendConfig({ backend: "googledrive", driveFolderId: root, credentialsFile });
  const deps = backendDeps({
    stateFolder,
    env: driveEnv(fake),
    tokens: memoryTokens(driveToken(fake, user)),
    clock: leapingClock(),
    ...options.deps,
  });
  return {
    config,
    deps,
    root,
    open: () => googledrive.open(config, deps),
    other: (next = user) => drivePlace(fake, base, { ...options, root, user: next }),
  };
}
