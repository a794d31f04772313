import { type Hasher, hasher } from "../../lib/hash.ts";
import type { RelPath } from "../../lib/path.ts";
import { type ByteStream, drain } from "../../lib/streams.ts";
import { StaleError } from "../errors.ts";
import type { Backend, Expect, RemoteFile, Source, Written } from "../types.ts";

/** What a look found out about a call whose answer was lost. */
export type Found<T> =
  /** It took effect. */
  | { readonly kind: "landed"; readonly result: T }
  /** All is as before: it may be sent again. */
  | { readonly kind: "untouched" };

export interface ResolveOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Looks whether a write took effect. Throws StaleError when somebody else's version is there. */
export async function resolveWrite(
  backend: Backend,
  path: RelPath,
  source: Source,
  expect: Expect,
  options: ResolveOptions,
): Promise<Found<Written>> {
  const call = withSignal(options);
  const file = await backend.stat(path, call);
  if (file === undefined) {
    if (expect === "absent" || expect === "any") return { kind: "untouched" };
    throw lost("write", path, "it is gone now");
  }
  if (file.rev === expect && !file.racy) return { kind: "untouched" };
  if (await holds(backend, file, source, options)) return { kind: "landed", result: { file } };
  if (file.rev === expect || expect === "any") return { kind: "untouched" };
  throw lost("write", path, "another version is there now");
}

/** Looks whether a remove took effect. */
export async function resolveRemove(
  backend: Backend,
  path: RelPath,
  expect: Expect,
  options: ResolveOptions,
): Promise<Found<void>> {
  const file = await backend.stat(path, withSignal(options));
  if (file === undefined) return { kind: "landed", result: undefined };
  if (file.rev === expect || expect === "any") return { kind: "untouched" };
  throw lost("remove", path, "another version is there now");
}

/** Looks whether a copy took effect: the same bytes under the new name are as good as our own copy. */
export async function resolveCopy(
  backend: Backend,
  from: RelPath,
  to: RelPath,
  options: ResolveOptions,
): Promise<Found<Written>> {
  const call = withSignal(options);
  const [source, target] = await Promise.all([backend.stat(from, call), backend.stat(to, call)]);
  if (target === undefined) return { kind: "untouched" };
  if (source?.size === target.size && (await sameFiles(backend, source, target, options))) {
    return { kind: "landed", result: { file: target } };
  }
  throw lost("copy to", to, "another file is there now");
}

/** Looks whether a move took effect: then the old name is free and the new one taken. */
export async function resolveMove(
  backend: Backend,
  from: RelPath,
  to: RelPath,
  options: ResolveOptions,
): Promise<Found<Written>> {
  const call = withSignal(options);
  const [source, target] = await Promise.all([backend.stat(from, call), backend.stat(to, call)]);
  if (source && !target) return { kind: "untouched" };
  if (!source && target) return { kind: "landed", result: { file: target } };
  throw lost("move to", to, source ? "both names are taken now" : "both names are free now");
}

/** Whether the file's content is the source's: by size, by a checksum of both, else by reading both. */
async function holds(backend: Backend, file: RemoteFile, source: Source, options: ResolveOptions): Promise<boolean> {
  if (file.size !== source.size) return false;
  for (const { kind, value } of file.checksums ?? []) {
    const known = kind === "sha256" || kind === "md5" ? source[kind] : undefined;
    if (known !== undefined) return known === value;
  }
  const sent = source.sha256 ?? (await digest(source.open(), options));
  return sent === (await readDigest(backend, file, options));
}

async function sameFiles(backend: Backend, a: RemoteFile, b: RemoteFile, options: ResolveOptions): Promise<boolean> {
  for (const { kind, value } of a.checksums ?? []) {
    const other = b.checksums?.find((checksum) => checksum.kind === kind);
    if (other) return other.value === value;
  }
  return (await readDigest(backend, a, options)) === (await readDigest(backend, b, options));
}

async function readDigest(backend: Backend, file: RemoteFile, options: ResolveOptions): Promise<string> {
  const opened = await backend.read(file.path, { expect: file.rev, ...withSignal(options) });
  return digest(opened.body, options);
}

async function digest(body: ByteStream, options: ResolveOptions): Promise<string> {
  const sha256: Hasher = hasher("sha256");
  await drain(body, (chunk) => sha256.update(chunk), withSignal(options));
  return sha256.hex();
}

function withSignal({ signal }: ResolveOptions): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function lost(verb: string, path: RelPath, state: string): StaleError {
  return new StaleError(`cannot tell whether the ${verb} "${path}" was done, its answer was lost: ${state}`);
}
