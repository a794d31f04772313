import * as fs from "node:fs";
import { BLOBS_FOLDER } from "../../src/backends/layout.ts";
import type { Backend } from "../../src/backends/types.ts";
import { type RelPath, relPath } from "../../src/lib/path.ts";
import type { RunResult } from "../../src/project/model.ts";
import type { Project } from "../../src/project/service.ts";
import { META_NAME } from "../../src/snapshots/full-folder.ts";
import { isUserPath } from "./engine-look.ts";
import type { PlantedBug, World } from "./engine-model.ts";

/** The version that is there now, whatever the caller expects. */
async function present(inner: Backend, path: RelPath) {
  return (await inner.stat(path))?.rev ?? "absent";
}

/** F44, F45: overwrites whatever is there. */
export const ignoresGuards: PlantedBug = {
  backend: (inner) => ({
    ...inner,
    write: async (path, source, options) =>
      inner.write(path, source, { ...options, expect: await present(inner, path) }),
    remove: async (path, options) => inner.remove(path, { ...options, expect: "any" }),
  }),
};

/** What is replaced or deleted is kept nowhere. */
export const keepsNoTrash: PlantedBug = {
  afterRun: ({ trashFolder }) => fs.rmSync(trashFolder, { recursive: true, force: true }),
};

/** Takes bodies for snapshots and stores none of every third. */
export const losesBlobs: PlantedBug = {
  backend: (inner) => ({
    ...inner,
    async write(path, source, options) {
      const written = await inner.write(path, source, options);
      if (path.startsWith(BLOBS_FOLDER) && /[05af]$/.test(path)) await inner.remove(path, { expect: "any" });
      return written;
    },
  }),
};

/** A file of a full snapshot is gone as soon as the marker says that all are there. */
export const losesCopies: PlantedBug = {
  backend: (inner) => ({
    ...inner,
    async write(path, source, options) {
      const written = await inner.write(path, source, options);
      if (!path.endsWith(`/${META_NAME}`)) return written;
      const { files } = await inner.list(relPath(path.slice(0, -META_NAME.length - 1)));
      const victim = files.find((file) => file.path !== path);
      if (victim) await inner.remove(victim.path, { expect: "any" });
      return written;
    },
  }),
};

/** Copies other bytes than it was told to, of the same number. */
export const miscopies: PlantedBug = {
  backend: (inner, { store }) => {
    const { copy } = inner;
    if (copy === undefined) return inner;
    return {
      ...inner,
      async copy(from, to, options) {
        const written = await copy(from, to, options);
        const bytes = store.get(to)?.bytes;
        if (bytes !== undefined && !isUserPath(to))
          store.put(
            to,
            bytes.map((byte) => byte ^ 1),
          );
        return written;
      },
    };
  },
};

/** Keeps the claim of a full snapshot after it was told to remove it. */
export const keepsClaims: PlantedBug = {
  backend: (inner) => ({
    ...inner,
    remove: async (path, options) => {
      if (!path.endsWith(".claim")) await inner.remove(path, options);
    },
  }),
};

/** Hands out bodies with one bit turned. */
export const turnsBits: PlantedBug = {
  backend: (inner) => ({
    ...inner,
    async read(path, options) {
      const opened = await inner.read(path, options);
      const turned = new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => controller.enqueue(chunk.map((byte, at) => (at === 0 ? byte ^ 1 : byte))),
      });
      return isUserPath(path) ? { ...opened, body: opened.body.pipeThrough(turned) } : opened;
    },
  }),
};

/** F23, F68: hides a folder, in listings and lookups alike, and says that all is shown. */
export const hidesFiles: PlantedBug = {
  backend: (inner, world) => {
    const hidden = (path: string): boolean => world.runs % 3 === 0 && (path.startsWith("d/") || path.startsWith("b"));
    return {
      ...inner,
      changes: async () => ({ kind: "relist" }),
      async list(under, options) {
        const { cursor: _, ...listing } = await inner.list(under, options);
        return { ...listing, files: listing.files.filter(({ path }) => !hidden(path)) };
      },
      stat: async (path, options) => (hidden(path) ? undefined : inner.stat(path, options)),
    };
  },
};

/** Says nothing about one of the files it sent. */
export const hidesUploads: PlantedBug = {
  project: (project) => reporting(project, (result) => ({ ...result, uploaded: result.uploaded.slice(1) })),
};

/** Calls what it did not fetch fetched. */
export const boasts: PlantedBug = {
  project: (project) =>
    reporting(project, (result) => ({
      ...result,
      downloaded: [...result.downloaded, ...result.conflicts.map((it) => it.path)],
    })),
};

/** A dry run that is none. */
export const dryRunsForReal: PlantedBug = {
  project: (project) => ({
    ...project,
    push: (options) => project.push({ ...options, dryRun: false }),
    sync: (options) => project.sync({ ...options, dryRun: false }),
  }),
};

/** Writes something in every run, needed or not. */
export const neverRests: PlantedBug = {
  backend: (inner, world) => ({
    ...inner,
    async close() {
      scribble(world);
    },
  }),
};

function scribble({ store }: World): void {
  for (const file of store.files.values()) {
    if (!isUserPath(file.path)) return void store.put(file.path, file.bytes);
  }
}

/** Leaves every conflict as it is, whatever strategy was given. */
export const neverSettles: PlantedBug = {
  project: (project) => ({ ...project, sync: (options) => project.sync({ ...options, strategy: "skip" }) }),
};

function reporting(project: Project, change: (result: RunResult) => RunResult): Project {
  const told = async (run: Promise<RunResult>) => change(await run);
  return {
    ...project,
    push: (options) => told(project.push(options)),
    pull: (options) => told(project.pull(options)),
    sync: (options) => told(project.sync(options)),
  };
}
