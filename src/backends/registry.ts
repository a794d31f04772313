import { BackendError } from "./errors.ts";
import type { BackendModule } from "./module.ts";
import type { BackendKind } from "./types.ts";

/** Loaded when asked for, so that nobody pays for a backend that the project does not use. */
const MODULES: Partial<Record<BackendKind, () => Promise<BackendModule>>> = {
  local: async () => (await import("./local/index.ts")).local,
  webdav: async () => (await import("./webdav/index.ts")).webdav,
  googledrive: async () => (await import("./googledrive/index.ts")).googledrive,
  dropbox: async () => (await import("./dropbox/index.ts")).dropbox,
  onedrive: async () => (await import("./onedrive/index.ts")).onedrive,
};

/** The kinds of storage that this build can mirror to. */
export const AVAILABLE_KINDS = Object.keys(MODULES) as readonly BackendKind[];

/** Throws a BackendError for a kind that this build does not have. */
export async function loadBackend(kind: BackendKind): Promise<BackendModule> {
  const load = MODULES[kind];
  if (load) return load();
  throw new BackendError(`cannot use the backend "${kind}": this version has ${AVAILABLE_KINDS.join(", ")} only`, {
    class: "FILE_REJECTED",
    hint: "Set backend: to one of these, or install a version that has it.",
  });
}
