import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Backend } from "../../src/backends/types.ts";
import { type Clock, systemClock } from "../../src/lib/clock.ts";
import { type RelPath, relPath } from "../../src/lib/path.ts";
import { openProject } from "../../src/project/open.ts";
import type { Project, PullOptions, SyncOptions } from "../../src/project/service.ts";
import type { ProjectConfig } from "../../src/settings/model.ts";
import { type MemoryBackend, memoryBackend } from "./memory-backend.ts";
import { tempFolder } from "./temp.ts";

/** One machine's copy of a project, put together as `app.ts` does it, over a remote in memory. */
export interface ProjectLab {
  readonly home: string;
  readonly root: string;
  readonly stateFolder: string;
  readonly remote: MemoryBackend;
  /** The use cases, each opened anew as by a process of its own. */
  project(): Project;
  push(files?: readonly string[], options?: { readonly allow?: SyncOptions["allow"] }): ReturnType<Project["push"]>;
  pull(files?: readonly string[], options?: Pick<PullOptions, "output">): ReturnType<Project["pull"]>;
  sync(options?: Partial<SyncOptions>): ReturnType<Project["sync"]>;
  write(path: string, content: string | Uint8Array): void;
  read(path: string): string | undefined;
  put(path: string, content: string): void;
  remoteText(path: string): string | undefined;
  trashed(): { readonly path: string; readonly text: string }[];
}

export interface ProjectLabOptions {
  readonly remote?: MemoryBackend;
  readonly config?: Partial<ProjectConfig>;
  /** Stands between the project and the remote. */
  readonly wrap?: (backend: Backend) => Backend;
  readonly mirrors?: readonly LabMirror[];
  readonly clock?: Clock;
}

export interface LabMirror {
  readonly name: string;
  readonly remote: MemoryBackend;
  /** Stands between the project and the mirror; may throw as opening does. */
  readonly wrap?: (backend: Backend) => Backend;
  /** Other than one named after it in the lab's home. */
  readonly stateFolder?: string;
}

export function projectLab(options: ProjectLabOptions = {}): ProjectLab {
  const home = tempFolder("project");
  const root = join(home, "project");
  mkdirSync(root);
  const remote = options.remote ?? memoryBackend();
  const stateFolder = join(home, "state");
  const config = { ...CONFIG, file: join(home, "project.yaml"), projectPath: root, ...options.config } as ProjectConfig;
  const mirrors = (options.mirrors ?? []).map((mirror) => ({
    name: mirror.name,
    file: join(home, `${mirror.name}.yaml`),
    config,
    root: mirror.name,
    stateFolder: mirror.stateFolder ?? join(home, `state-${mirror.name}`),
    trashFolder: join(home, `trash-${mirror.name}`),
    openBackend: async () => mirror.wrap?.(mirror.remote) ?? mirror.remote,
  }));
  const clock = options.clock ?? systemClock;
  const project = () =>
    openProject({
      mirrors,
      ...(options.mirrors === undefined ? {} : { name: "primary" }),
      config,
      openBackend: async () => options.wrap?.(remote) ?? remote,
      stateFolder,
      trashFolder: join(home, "trash"),
      clock,
      signal: new AbortController().signal,
      cwd: root,
      onEvent: () => undefined,
    });
  const common = { dryRun: false, allow: new Set<never>() };
  return {
    home,
    root,
    stateFolder,
    remote,
    project,
    push: (files = [], more = {}) => project().push({ ...common, files, forceLocal: false, ...more }),
    pull: (files = [], more = {}) => project().pull({ ...common, files, ...more }),
    sync: (more = {}) => project().sync({ ...common, files: [], ...more }),
    write(path, content) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    },
    read: (path) => (existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : undefined),
    put: (path, content) => void remote.store.put(relPath(path), content),
    remoteText(path) {
      const entry = remote.store.get(relPath(path) as RelPath);
      return entry && new TextDecoder().decode(entry.bytes);
    },
    trashed() {
      const { trash } = project();
      return trash.list().map((entry) => ({ path: entry.path, text: readFileSync(trash.contentOf(entry), "utf8") }));
    },
  };
}

const CONFIG: Partial<ProjectConfig> = {
  backend: "local",
  filePatterns: ["**/*"],
  excludePatterns: [],
  machineName: "workstation",
  user: "alice",
  localFolder: tmpdir(),
  snapshotFormat: "blobs",
  parallelWorkers: 4,
  maxRetryAttempts: 1,
  maxThrottleWaitSeconds: 1,
  snapshotOn: "",
  retryOnPush: true,
  notifyFailures: true,
  warnings: [],
};
