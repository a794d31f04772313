import { expect, test } from "bun:test";
import { BackendError, LocalFileError } from "../../src/backends/errors.ts";
import type { Backend, Listing, ListOptions, RemoteFile } from "../../src/backends/types.ts";
import { type RelPath, relPath } from "../../src/lib/path.ts";
import { sourceOf } from "../support/bodies.ts";

/** Creates a file that must not be there. */
export async function create(backend: Backend, path: string, content: string | Uint8Array): Promise<RemoteFile> {
  const written = await backend.write(relPath(path), sourceOf(content), { expect: "absent" });
  return written.file ?? (await fileAt(backend, path));
}

/** The file that must be there. */
export async function fileAt(backend: Backend, path: string): Promise<RemoteFile> {
  const file = await backend.stat(relPath(path));
  if (!file) throw new Error(`nothing at ${JSON.stringify(path)}`);
  return file;
}

/** The listing's paths, sorted. */
export async function pathsOf(backend: Backend, under: string, options?: ListOptions): Promise<string[]> {
  return namesIn(await backend.list(under as RelPath | "", options));
}

export function namesIn(listing: Listing): string[] {
  return listing.files.map((file) => file.path as string).sort();
}

export function foldersIn(listing: Listing): string[] {
  return listing.folders.map(String).sort();
}

/** What the promise fails with; it must fail. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  const nothing = Symbol("no error");
  const found = await promise.then(
    () => nothing,
    (error: unknown) => error,
  );
  if (found === nothing) throw new Error("it succeeded and should have failed");
  return found;
}

/** The promise fails, and with nothing but an error of the contract. */
export async function fails(promise: Promise<unknown>): Promise<BackendError> {
  const error = await failure(promise);
  expect(error).toBeInstanceOf(BackendError);
  return error as BackendError;
}

/** The promise fails with an error of the contract or with the local file's own. */
export async function failsOnBody(promise: Promise<unknown>): Promise<void> {
  const error = await failure(promise);
  expect(error instanceof BackendError || error instanceof LocalFileError).toBe(true);
  if (error instanceof BackendError) expect(error.class).not.toBe("TRANSIENT");
}

/** `test`, or nothing at all where the storage has no such ability: what cannot be tested is no skipped test. */
export function unless(lacking: boolean): (name: string, body: () => Promise<void>) => void {
  return lacking ? () => undefined : (name, body) => test(name, body);
}
