import { foldersOf, isUnder, parentOf, type RelPath } from "../../lib/path.ts";
import { BackendError, LocalFileError } from "../errors.ts";
import type { Backend, Listing, ListOptions, Opened, RemoteFile } from "../types.ts";
import { aroundVerbs } from "./verbs.ts";

/** A backend broke the storage contract: a fault in this program. */
export class ContractError extends Error {
  constructor(message: string) {
    super(`storage contract broken: ${message}`);
    this.name = "ContractError";
  }
}

/** Holds a backend to the contract of `types.ts`, as far as single answers show it; for tests and debugging. */
export function checkCalls(backend: Backend): Backend {
  const watched = aroundVerbs(backend, async (call, act) => {
    try {
      return await act();
    } catch (error) {
      const aborted = call.signal?.aborted === true && error === call.signal.reason;
      if (aborted || error instanceof BackendError || error instanceof LocalFileError) throw error;
      throw new ContractError(`${call.verb} "${call.path}" failed with ${String(error)}`);
    }
  });
  return {
    ...watched,
    async list(under, options) {
      const listing = await watched.list(under, options);
      checkListing(backend, listing, under, options ?? {});
      return listing;
    },
    async stat(path, options) {
      const file = await watched.stat(path, options);
      if (file) checkFile(backend, file, path);
      return file;
    },
    async read(path, options) {
      if (options?.from !== undefined && options.expect === undefined) {
        throw new ContractError(`read "${path}" was asked for a part of no version`);
      }
      const opened = await watched.read(path, options);
      checkFile(backend, opened.file, path);
      if (options?.expect !== undefined && options.expect !== opened.file.rev) {
        throw new ContractError(`read "${path}" opened another version than the one asked for`);
      }
      return checkedBody(opened, options?.from ?? 0);
    },
    ...(watched.poll && {
      async poll(path, since, options) {
        const polled = await (watched.poll as NonNullable<Backend["poll"]>)(path, since, options);
        if (polled.kind === "same" && since === undefined) throw new ContractError(`poll "${path}" knows of no change`);
        if (polled.kind === "same" || polled.opened === undefined) return polled;
        checkFile(backend, polled.opened.file, path);
        return { ...polled, opened: checkedBody(polled.opened, 0) };
      },
    }),
    async write(path, source, options) {
      const written = await watched.write(path, source, options);
      if (written.file) checkFile(backend, written.file, path);
      if (backend.can.writeReturnsRev && !written.file) {
        throw new ContractError(`write "${path}" named no version`);
      }
      if (written.file && written.file.size !== source.size) {
        throw new ContractError(`write "${path}" of ${source.size} bytes made ${written.file.size}`);
      }
      return written;
    },
  };
}

function checkListing(backend: Backend, listing: Listing, under: RelPath | "", options: ListOptions): void {
  const at = `list "${under}"`;
  if (!listing.exists && listing.files.length + listing.folders.length > 0) {
    throw new ContractError(`${at} found something in a folder that does not exist`);
  }
  const folders = new Set<string>(listing.folders);
  if (folders.size !== listing.folders.length) throw new ContractError(`${at} names a folder twice`);
  const seen = new Set<string>();
  for (const file of listing.files) {
    checkFile(backend, file, file.path);
    if (seen.has(file.path)) throw new ContractError(`${at} names "${file.path}" twice`);
    seen.add(file.path);
    if (folders.has(file.path)) throw new ContractError(`${at} calls "${file.path}" a file and a folder`);
    checkPlace(at, file.path, under, options);
    const missing = foldersOf(file.path).find((folder) => isBelow(folder, under) && !folders.has(folder));
    if (missing !== undefined) throw new ContractError(`${at} leaves out the folder "${missing}"`);
  }
  for (const folder of listing.folders) checkPlace(at, folder, under, options);
}

function checkPlace(at: string, path: RelPath, under: RelPath | "", options: ListOptions): void {
  if (!isBelow(path, under)) throw new ContractError(`${at} shows "${path}", which is not below it`);
  if (options.shallow && parentOf(path) !== under) throw new ContractError(`${at} is shallow and shows "${path}"`);
  const skipped = options.skip?.find((folder) => isBelow(path, folder));
  if (skipped !== undefined) throw new ContractError(`${at} shows "${path}" though "${skipped}" is skipped`);
}

function isBelow(path: RelPath, folder: RelPath | ""): boolean {
  return path !== folder && isUnder(path, folder);
}

function checkFile(backend: Backend, file: RemoteFile, path: RelPath): void {
  const broken = (what: string): ContractError => new ContractError(`"${path}" ${what}`);
  const sameName = backend.can.names.caseSensitive
    ? file.path === path
    : file.path.normalize("NFC").toLowerCase() === path.normalize("NFC").toLowerCase();
  if (!sameName) throw broken(`is answered as "${file.path}"`);
  if (!Number.isSafeInteger(file.size) || file.size < 0) throw broken(`has the size ${file.size}`);
  if (file.rev === "" || file.id === "" || file.nativeHash === "") throw broken("has an empty rev, id or hash");
  if ((file.rev as string) === "absent" || (file.rev as string) === "any") throw broken(`has the rev "${file.rev}"`);
  if (backend.canonicalHash(file.nativeHash) !== file.nativeHash) throw broken("has a hash that is not canonical");
}

function checkedBody(opened: Opened, from: number): Opened {
  const { file } = opened;
  const reader = opened.body.getReader();
  let length = from;
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        length += value?.length ?? 0;
        if (length > file.size || (done && length !== file.size)) {
          throw new ContractError(`read "${file.path}" gave ${length} of ${file.size} bytes`);
        }
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { file, body };
}
