import type { BackendConfig, BackendDeps, TokenStore } from "../../src/backends/module.ts";
import { systemClock } from "../../src/lib/clock.ts";

const UNSET: Omit<BackendConfig, "backend"> = {
  projectPath: "/project",
  localFolder: "",
  webdavUrl: "",
  webdavUsername: "",
  webdavInsecureHttp: false,
  driveFolderId: "",
  gcpProjectId: "",
  pubsubTopicId: "",
  credentialsFile: "/config/credentials.json",
  dropboxAppKey: "",
  dropboxFolder: "",
  onedriveClientId: "",
  onedriveFolder: "",
  onedriveAuthority: "common",
  tokenFile: "/config/token.json",
  machineName: "workstation",
};

/** Settings of a backend, what is not given as in a config that does not name it. */
export function backendConfig(given: Partial<BackendConfig> & Pick<BackendConfig, "backend">): BackendConfig {
  return { ...UNSET, ...given };
}

/** What a backend's functions are given, what is not named as on a machine where nobody has signed in. */
export function backendDeps(given: Partial<BackendDeps> & Pick<BackendDeps, "stateFolder">): BackendDeps {
  return { clock: systemClock, env: {}, tokens: memoryTokens(), ...given };
}

export interface MemoryTokens extends TokenStore {
  text: string | undefined;
  /** How often it was written. */
  writes: number;
}

/** A token file in memory. Several backends may be given the same one. */
export function memoryTokens(text?: string): MemoryTokens {
  let last: Promise<unknown> = Promise.resolve();
  const store: MemoryTokens = {
    text,
    writes: 0,
    read: () => store.text,
    write(next) {
      store.text = next;
      store.writes++;
    },
    locked(fn) {
      const turn = last.then(fn);
      last = turn.catch(() => undefined);
      return turn;
    },
  };
  return store;
}
