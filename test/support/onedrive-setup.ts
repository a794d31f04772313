import { join } from "node:path";
import type { BackendConfig, BackendDeps } from "../../src/backends/module.ts";
import { onedrive } from "../../src/backends/onedrive/index.ts";
import type { Backend } from "../../src/backends/types.ts";
import { wrapBackend } from "../../src/backends/wrap/stack.ts";
import type { ContractSetup } from "../contract/suite.ts";
import { type FakeOneDrive, startFakeOneDrive } from "../fakes/onedrive/server.ts";
import { backendConfig, backendDeps, memoryTokens } from "./backend-config.ts";
import { leapingClock } from "./leaping-clock.ts";
import { tempFolder } from "./temp.ts";

export const FOLDER = "claude-mirror/notes";

/** What a token file holds after somebody signed in to the fake. */
export function tokenFileText(fake: FakeOneDrive, nowMs = Date.now()): string {
  const { access, refresh } = fake.identity.tokens();
  const { username, oid, tenant, name } = fake.identity.user;
  const home = `${oid}.${tenant}`;
  const client = fake.identity.clientId;
  const base = { home_account_id: home, environment: "login.windows.net", client_id: client };
  const seconds = Math.floor(nowMs / 1000);
  const cache = {
    Account: {
      [`${home}-login.windows.net-${tenant}`]: {
        home_account_id: home,
        environment: "login.windows.net",
        realm: tenant,
        local_account_id: oid,
        username,
        name,
        authority_type: "MSSTS",
      },
    },
    IdToken: {},
    AccessToken: {
      [`${home}-login.windows.net-accesstoken-${client}-${tenant}-files.readwrite-`]: {
        ...base,
        credential_type: "AccessToken",
        secret: access,
        realm: tenant,
        target: "Files.ReadWrite",
        token_type: "Bearer",
        cached_at: String(seconds),
        expires_on: String(seconds + 3600),
        extended_expires_on: String(seconds + 3600),
      },
    },
    RefreshToken: {
      [`${home}-login.windows.net-refreshtoken-${client}---`]: {
        ...base,
        credential_type: "RefreshToken",
        secret: refresh,
      },
    },
    AppMetadata: {},
  };
  return JSON.stringify({ client_id: client, token_cache: JSON.stringify(cache) });
}

export function endpointsOf(fake: FakeOneDrive): Record<string, string> {
  return {
    CLAUDE_MIRROR_ENDPOINT_ONEDRIVE_API: fake.origin,
    CLAUDE_MIRROR_ENDPOINT_ONEDRIVE_AUTH: fake.origin,
  };
}

export function oneDriveConfig(fake: FakeOneDrive, more: Partial<BackendConfig> = {}): BackendConfig {
  const { clientId } = fake.identity;
  return backendConfig({ backend: "onedrive", onedriveClientId: clientId, onedriveFolder: FOLDER, ...more });
}

export interface Machine {
  readonly config: BackendConfig;
  readonly deps: BackendDeps;
  readonly stateFolder: string;
  open(): Promise<Backend>;
}

/** A machine that has signed in to the fake; its clock does not wait. */
export function oneDriveMachine(fake: FakeOneDrive, more: Partial<BackendDeps> = {}): Machine {
  const stateFolder = join(tempFolder("onedrive"), "state");
  const config = oneDriveConfig(fake);
  const tokens = memoryTokens(tokenFileText(fake));
  const deps = backendDeps({ stateFolder, tokens, clock: leapingClock(), env: endpointsOf(fake), ...more });
  return { config, deps, stateFolder, open: () => onedrive.open(config, deps) };
}

export interface OneDriveContract {
  /** Changes how the service behaves, before the setup. */
  readonly habits?: (fake: FakeOneDrive) => void;
  /** Goes on after the setup. */
  readonly faults?: (fake: FakeOneDrive) => void;
  readonly adapt?: (backend: Backend) => Backend;
  readonly optOuts?: NonNullable<ContractSetup["optOuts"]>;
}

export function oneDriveContract(options: OneDriveContract = {}): ContractSetup {
  const { adapt = (backend) => backend } = options;
  return {
    optOuts: options.optOuts ?? {},
    async open() {
      const fake = await startFakeOneDrive();
      options.habits?.(fake);
      const first = oneDriveMachine(fake);
      await onedrive.prepare(first.config, first.deps);
      options.faults?.(fake);
      const backend = adapt(await first.open());
      const others: Backend[] = [];
      return {
        backend,
        async second() {
          const machine = oneDriveMachine(fake);
          await onedrive.prepare(machine.config, machine.deps);
          const other = adapt(await machine.open());
          others.push(other);
          return other;
        },
        async removeRoot() {
          fake.drive.remove(fake.drive.find(fake.drive.root, FOLDER)?.id ?? "");
        },
        async close() {
          for (const each of [backend, ...others]) await each.close();
          await fake.stop();
        },
      };
    },
  };
}

/** As the program uses a backend, every answer checked. */
export function wrapped(backend: Backend): Backend {
  const limits = { attempts: 5, parallel: 8, maxThrottleWaitMs: 3_600_000 };
  return wrapBackend(backend, { clock: leapingClock(), random: () => 0, checks: "strict", ...limits });
}
