import { dropbox } from "../../src/backends/dropbox/index.ts";
import type { BackendDeps } from "../../src/backends/module.ts";
import type { Backend } from "../../src/backends/types.ts";
import type { ContractSetup } from "../contract/suite.ts";
import { type FakeDropbox, type Fault, RATE_LIMITS } from "../fakes/dropbox.ts";
import { tag } from "../fakes/dropbox-tree.ts";
import { backendConfig, backendDeps, memoryTokens } from "./backend-config.ts";
import { leapingClock } from "./leaping-clock.ts";
import { tempFolder } from "./temp.ts";

let roots = 0;

/** Settings of a project on the fake, in a folder of its own. */
export function dropboxConfig(fake: FakeDropbox, folder = `/tests/${++roots}`) {
  return backendConfig({ backend: "dropbox", dropboxAppKey: fake.appKey, dropboxFolder: folder });
}

/** A machine that is signed in to the fake; its clock does not wait. */
export function dropboxDeps(fake: FakeDropbox, given: Partial<BackendDeps> = {}): BackendDeps {
  const tokens = memoryTokens(fake.tokenFile());
  const clock = leapingClock();
  return backendDeps({ stateFolder: tempFolder("dropbox-state"), env: fake.env(), tokens, clock, ...given });
}

/** A new folder on the fake, open as one machine sees it. */
export async function dropboxFolder(fake: FakeDropbox, given: Partial<BackendDeps> = {}) {
  const config = dropboxConfig(fake);
  const deps = dropboxDeps(fake, given);
  await dropbox.prepare(config, deps);
  const open = (other?: BackendDeps): Promise<Backend> => dropbox.open(config, other ?? deps);
  return { config, deps, root: config.dropboxFolder, open, backend: await open() };
}

/** The contract suite's setup. `adapt` puts something around each client. */
export function dropboxContract(fake: FakeDropbox, adapt: (backend: Backend) => Backend = (it) => it): ContractSetup {
  return {
    async open() {
      const { backend, open } = await dropboxFolder(fake);
      const others: Backend[] = [];
      return {
        backend: adapt(backend),
        async second() {
          const other = await open(dropboxDeps(fake));
          others.push(other);
          return adapt(other);
        },
        async close() {
          for (const each of [backend, ...others]) await each.close();
        },
      };
    },
  };
}

const EXPIRED = tag("expired_access_token");
/** Trouble that passes, with a name. */
export const PASSING: readonly (readonly [string, Fault])[] = [
  ["an access token that ran out", { status: 401, json: { error_summary: "expired_access_token/..", error: EXPIRED } }],
  ["too many requests", RATE_LIMITS.requests(3)],
  ["too many writes", RATE_LIMITS.writes(2)],
  ["a broken server", { status: 500, text: "oops" }],
  ["a server that is down", { status: 503, text: "down" }],
  ["a connection that breaks", { cut: "before" }],
  ["a lost answer", { cut: "after" }],
];
