import * as fs from "node:fs";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { localContent } from "../sync/local-content.ts";
import { fileStat } from "../sync/local-file.ts";
import type { ContentHash } from "../sync/model.ts";
import type { KnownSource } from "../sync/run-context.ts";
import type { Parts } from "./parts.ts";

/** An agreed content by a digest of it. */
export interface AgreedContent {
  readonly path: RelPath;
  readonly sha256?: string;
  /** `""` when it is not known; asked only without `sha256`. */
  readonly md5?: string;
}

/**
 * Hands an agreed body to `use`: the local file while it still is that version, else the live one of the remote, by way
 * of the trash folder. False when neither is.
 */
export async function withAgreedBody(
  parts: Parts,
  content: AgreedContent,
  use: (source: KnownSource) => Promise<void>,
): Promise<boolean> {
  const { path } = content;
  const { signal } = parts.deps;
  const local = await parts.sync.tools.hashLocal(path).catch(() => undefined);
  if (local && isIt(local.hash, content)) return useFile(parts, content, joinUnder(parts.root, path), use);
  const backend = await parts.backend();
  const remote = await backend.stat(path, { signal });
  if (remote === undefined) return false;
  const note = { path, reason: "copy of the remote version, on its way into a snapshot" };
  const { body } = await backend.read(path, { expect: remote.rev, signal });
  const kept = await parts.trash.putBytes(body, note, { signal });
  try {
    return await useFile(parts, content, parts.trash.contentOf(kept), use);
  } finally {
    parts.trash.discard(kept);
  }
}

async function useFile(
  parts: Parts,
  content: AgreedContent,
  absolute: string,
  use: (source: KnownSource) => Promise<void>,
): Promise<boolean> {
  const { signal } = parts.deps;
  const planned = fileStat(fs.statSync(absolute, { bigint: true }));
  const options = { planned, onProgress: () => undefined, signal };
  const { source, hash } = await localContent(absolute, content.path, options);
  if (!isIt(hash, content)) return false;
  await use(source);
  return true;
}

function isIt(hash: ContentHash, { sha256, md5 }: AgreedContent): boolean {
  return sha256 === undefined ? hash.md5 === md5 : hash.sha256 === sha256;
}
