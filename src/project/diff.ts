import * as fs from "node:fs";
import { UsageError } from "../lib/errors.ts";
import { joinUnder } from "../lib/path.ts";
import { toBytes } from "../lib/streams.ts";
import { lookAt } from "../sync/local-file.ts";
import { selectPath } from "../sync/select.ts";
import { isBinary } from "./conflicts.ts";
import type { DiffResult } from "./model.ts";
import type { Parts } from "./parts.ts";

/** Larger files are compared, not shown. Bytes. */
const MOST_SHOWN = 16 * 1024 * 1024;

/** Both versions of one file. Throws UsageError when neither side has it. */
export async function diffFile(parts: Parts, file: string): Promise<DiffResult> {
  const { signal, cwd } = parts.deps;
  const path = selectPath(file, { root: parts.root, cwd });
  const backend = await parts.backend();
  const remote = await backend.stat(path, { signal });
  const local = lookAt(joinUnder(parts.root, path));
  if (typeof local !== "object") {
    if (remote === undefined) throw new UsageError(`"${path}" exists neither here nor on the remote`);
    return { kind: "one-sided", path, side: "remote" };
  }
  if (remote === undefined) return { kind: "one-sided", path, side: "local" };
  if (local.size > MOST_SHOWN || remote.size > MOST_SHOWN) {
    const same = local.size === remote.size && (await sameContent(parts, path, remote));
    return same ? { kind: "equal", path } : { kind: "binary", path, localBytes: local.size, remoteBytes: remote.size };
  }
  const here = fs.readFileSync(joinUnder(parts.root, path));
  const { body } = await backend.read(path, { expect: remote.rev, signal });
  const there = await toBytes(body, { limit: MOST_SHOWN, signal });
  if (Buffer.compare(here, there) === 0) return { kind: "equal", path };
  if (isBinary(here) || isBinary(there))
    return { kind: "binary", path, localBytes: here.length, remoteBytes: there.length };
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { kind: "text", path, local: text(here), remote: text(there) };
}

async function sameContent(
  parts: Parts,
  path: ReturnType<typeof selectPath>,
  remote: Parameters<Parts["sync"]["tools"]["hashRemote"]>[0],
): Promise<boolean> {
  const { tools } = parts.sync;
  const [here, there] = await Promise.all([tools.hashLocal(path), tools.hashRemote(remote)]);
  return here.hash.sha256 === there.sha256;
}
