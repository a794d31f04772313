import { releaseMemory } from "../lib/memory.ts";
import type { BaseEntry } from "../sync/model.ts";
import { withAgreedBody } from "./agreed-body.ts";
import type { Parts } from "./parts.ts";
import { lackNotice, type Made, type Wanted } from "./snapshot-blobs.ts";

/**
 * Copies every agreed version into a folder of its own. One of which no copy is left anywhere cannot be in it: that is
 * told, and no reason to be without a snapshot.
 */
export async function makeFullSnapshot(parts: Parts, wanted: Wanted): Promise<Made> {
  const snapshots = await parts.snapshots();
  const { config, signal } = parts.deps;
  const files = new Map<string, BaseEntry>();
  for (const entry of await parts.sync.agreed()) files.set(entry.path, entry);
  releaseMemory(files.size);
  const facts = { ...wanted, files: files.values(), user: config.user, machine: config.machineName };
  const { timestamp, lacking } = await snapshots.createFull(facts, {
    signal,
    async bring(path, use) {
      const entry = files.get(path);
      return entry !== undefined && withAgreedBody(parts, entry, use);
    },
  });
  const notices = lacking.map(({ path, reason }) => lackNotice(path, reason));
  return { snapshot: { timestamp, format: "full" }, totalFiles: files.size - lacking.length, notices };
}
