import { NotFoundError } from "../backends/errors.ts";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { DamagedBlobError } from "../snapshots/blob-store.ts";
import type { ContentHash } from "../sync/model.ts";
import type { KnownSource } from "../sync/run-context.ts";
import { fileContent, withLocalCopy } from "./content.ts";
import type { Parts } from "./parts.ts";

/** An agreed content by a digest of it. */
export interface AgreedContent {
  readonly path: RelPath;
  readonly sha256?: string;
  /** `""` when it is not known; asked only without `sha256`. */
  readonly md5?: string;
}

/**
 * Hands an agreed body to `use`: the local file while it still is that version, else the live one of the remote or what
 * snapshots have stored, by way of a copy on this disk. False when none is.
 */
export async function withAgreedBody(
  parts: Parts,
  content: AgreedContent,
  use: (source: KnownSource) => Promise<void>,
): Promise<boolean> {
  const { path } = content;
  const { signal } = parts.deps;
  const local = await parts.sync.tools.hashLocal(path).catch(() => undefined);
  if (local && isIt(local.hash, content)) {
    return useBody(await fileContent(joinUnder(parts.root, path), path, signal), content, use);
  }
  const backend = await parts.backend();
  const remote = await backend.stat(path, { signal });
  if (remote !== undefined) {
    const { body } = await backend.read(path, { expect: remote.rev, signal });
    if (await withLocalCopy(parts, path, body, (found) => useBody(found, content, use))) return true;
  }
  return useStored(parts, content, use);
}

/** From a blob that a snapshot of any machine has left: another machine's push may have replaced the live file. */
async function useStored(
  parts: Parts,
  { path, sha256 }: AgreedContent,
  use: (source: KnownSource) => Promise<void>,
): Promise<boolean> {
  if (sha256 === undefined) return false;
  const { signal } = parts.deps;
  try {
    const { body } = await (await parts.snapshots()).read(sha256, { signal });
    return await withLocalCopy(parts, path, body, (found) => useBody(found, { path, sha256 }, use));
  } catch (error) {
    if (error instanceof NotFoundError || error instanceof DamagedBlobError) return false;
    throw error;
  }
}

async function useBody(
  found: KnownSource,
  content: AgreedContent,
  use: (source: KnownSource) => Promise<void>,
): Promise<boolean> {
  if (!isIt(found, content)) return false;
  await use(found);
  return true;
}

function isIt(hash: ContentHash, { sha256, md5 }: AgreedContent): boolean {
  return sha256 === undefined ? hash.md5 === md5 : hash.sha256 === sha256;
}
