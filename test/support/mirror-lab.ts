import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BackendError } from "../../src/backends/errors.ts";
import { relPath } from "../../src/lib/path.ts";
import type { BackendOutcome } from "../../src/project/model.ts";
import { type FaultQueue, faultQueue } from "./fault-queue.ts";
import { type MemoryBackend, memoryBackend } from "./memory-backend.ts";
import { type ProjectLab, type ProjectLabOptions, projectLab } from "./project-lab.ts";

export interface MirrorLab extends ProjectLab {
  readonly mirror: MemoryBackend;
  readonly faults: FaultQueue;
  text(path: string): string | undefined;
}

/** A project with one mirror, `dropbox`, whose requests can be made to fail. */
export function mirrorLab(options: ProjectLabOptions = {}): MirrorLab {
  const mirror = memoryBackend();
  const faults = faultQueue(mirror);
  const lab = projectLab({ ...options, mirrors: [{ name: "dropbox", remote: mirror, wrap: () => faults.backend }] });
  return { ...lab, mirror, faults, text: (path) => textOn(mirror, path) };
}

export function textOn(remote: MemoryBackend, path: string): string | undefined {
  const entry = remote.store.get(relPath(path));
  return entry && new TextDecoder().decode(entry.bytes);
}

export function outcome(
  { backends }: { readonly backends: readonly BackendOutcome[] },
  name = "dropbox",
): BackendOutcome {
  const found = backends.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no outcome of ${name}`);
  return found;
}

export function remoteRecord(lab: ProjectLab, path: string, name = "dropbox"): Record<string, unknown> | undefined {
  const manifest = JSON.parse(readFileSync(join(lab.root, ".claude_mirror_manifest.json"), "utf8"));
  return manifest[path]?.remotes?.[name];
}

export const down = () => new BackendError("cannot reach the server: connection refused", { class: "TRANSIENT" });
export const signedOut = () => new BackendError("signing in failed", { class: "AUTH", status: 401 });
