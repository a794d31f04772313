import { googledrive } from "../../src/backends/googledrive/index.ts";
import type { BackendConfig, BackendDeps, Finding } from "../../src/backends/module.ts";
import type { FakeDrive } from "../fakes/googledrive/server.ts";
import type { FakePubsub } from "../fakes/pubsub/server.ts";
import { drivePlace } from "./googledrive.ts";

export const CLOUD_PROJECT = "team-project";
export const TOPIC_ID = "claude-mirror-notes";
export const TOPIC = `projects/${CLOUD_PROJECT}/topics/${TOPIC_ID}`;

/** One machine that is signed in to a Drive folder with a topic. */
export interface PubsubPlace {
  readonly config: BackendConfig;
  readonly deps: BackendDeps;
  /** What `auth` (with `make`) or `doctor` finds, by name. */
  check(make: boolean): Promise<Readonly<Record<string, Finding>>>;
}

export interface PubsubPlaceOptions {
  readonly machineName?: string;
  readonly config?: Partial<BackendConfig>;
  readonly deps?: Partial<BackendDeps>;
}

/** A machine with a state folder of its own below `base`. */
export function pubsubPlace(
  fakes: { readonly drive: FakeDrive; readonly pubsub: FakePubsub },
  base: string,
  options: PubsubPlaceOptions = {},
): PubsubPlace {
  const place = drivePlace(fakes.drive, base);
  const env = { ...place.deps.env, CLAUDE_MIRROR_ENDPOINT_GOOGLEDRIVE_NOTIFY: fakes.pubsub.origin };
  const deps = { ...place.deps, env, ...options.deps };
  const config = {
    ...place.config,
    gcpProjectId: CLOUD_PROJECT,
    pubsubTopicId: TOPIC_ID,
    machineName: options.machineName ?? "workstation",
    ...options.config,
  };
  return {
    config,
    deps,
    async check(make) {
      const findings = (await googledrive.checkChannel?.(config, deps, { make })) ?? [];
      return Object.fromEntries(findings.map((finding) => [finding.name, finding]));
    },
  };
}
