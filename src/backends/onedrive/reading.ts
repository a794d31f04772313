import type { RelPath } from "../../lib/path.ts";
import { skipping, tapped } from "../../lib/streams.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { Opened, ReadOptions, RemoteFile } from "../types.ts";
import { wholeBody } from "../whole-body.ts";
import { type SignedRequest, textAt } from "./graph.ts";
import { fileOf } from "./items.ts";
import { quickXor } from "./quick-xor.ts";
import { addressOf, FolderGoneError, inPlace, type Remote } from "./remote.ts";

/** The contract's `read`: the item with its short-lived address, then the bytes from there. */
export async function readFile(remote: Remote, path: RelPath, options: ReadOptions): Promise<Opened> {
  const { expect, from = 0, signal } = options;
  const { file, url, hash } = await lookForBody(remote, path, options);
  if (expect !== undefined && file.rev !== expect) {
    throw new StaleError(`Could not read "${path}": it is another version`);
  }
  if (from === file.size) return { file, body: new ReadableStream({ start: (controller) => controller.close() }) };
  const request: SignedRequest = {
    method: "GET",
    url,
    what: `read "${path}"`,
    headers: from === 0 ? {} : { Range: `bytes=${from}-` },
    signal,
  };
  const response = await remote.graph.signed(request);
  if (response.status !== 200 && response.status !== 206) {
    const error = await remote.graph.refusal(response, request);
    // The address may have run out, or the file was replaced: looked at again, both are well.
    if (error.class === "TRANSIENT") throw error;
    throw new BackendError(error.message, { class: "TRANSIENT", status: response.status, cause: error });
  }
  const at = response.status === 206 ? from : 0;
  const explain = (error: unknown) => remote.graph.broken(error, request);
  const body = wholeBody(response.stream(), { path, due: file.size - at, explain });
  if (at > 0) return { file, body };
  return { file, body: skipping(hash === undefined ? body : checked(body, path, file.size, hash), from) };
}

interface Found {
  readonly file: RemoteFile;
  readonly url: string;
  readonly hash: string | undefined;
}

async function lookForBody(remote: Remote, path: RelPath, { signal }: ReadOptions): Promise<Found> {
  const what = `read "${path}"`;
  try {
    return await inPlace(remote, signal === undefined ? {} : { signal }, async (place) => {
      const { body } = await remote.graph.call({ method: "GET", path: addressOf(place, path), what, signal });
      const file = fileOf(body, path);
      if (file === undefined) throw new NotFoundError(`Could not read "${path}": it is no file`);
      const url = textAt(body, "@microsoft.graph.downloadUrl");
      if (url === undefined) {
        throw new BackendError(`Could not read "${path}": OneDrive names no address to read it from`, {
          class: "FILE_REJECTED",
        });
      }
      remote.seen.note(path, body);
      return { file, url, hash: file.checksums?.find(({ kind }) => kind === "quickxor")?.value };
    });
  } catch (error) {
    if (error instanceof FolderGoneError) throw new NotFoundError(error.message);
    throw error;
  }
}

/** The version named and the bytes that came are two requests: the hash tells that they belong together. */
function checked(body: ReadableStream<Uint8Array>, path: RelPath, size: number, wanted: string) {
  const hash = quickXor();
  let seen = 0;
  return tapped(body, (chunk) => {
    hash.update(chunk);
    seen += chunk.length;
    if (seen === size && hash.base64() !== wanted) {
      throw new BackendError(`Could not read "${path}": other bytes came than OneDrive's checksum says`, {
        class: "TRANSIENT",
      });
    }
  });
}
