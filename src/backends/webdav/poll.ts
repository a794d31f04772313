import type { HttpResponse } from "../../lib/http-response.ts";
import type { RelPath } from "../../lib/path.ts";
import type { CallOptions, Polled, RemoteFile } from "../types.ts";
import type { DavRequest } from "./connection.ts";
import { fileUrl } from "./dav-path.ts";
import { statFile } from "./listing.ts";
import { openAnswer } from "./read.ts";
import type { Remote } from "./remote.ts";
import { canonicalEtag } from "./rev.ts";

/** Cursors: `etag E` as the server spelled it, `look REV` where it heeds no conditions, `missing`, and `""` for a version that may still change. */
const ETAG = "etag ";
const LOOK = "look ";
const MISSING = "missing";

/** The contract's `poll`: a GET with If-None-Match (RFC 9110 section 13.1.2), a PROPFIND where the server ignores that. */
export async function pollFile(
  remote: Remote,
  path: RelPath,
  since: string | undefined,
  options: CallOptions,
): Promise<Polled> {
  if (since?.startsWith(LOOK)) return pollByLook(remote, path, since, options);
  const known = since?.startsWith(ETAG) ? since.slice(ETAG.length) : undefined;
  const request: DavRequest = {
    method: "GET",
    url: fileUrl(remote.connection.root, path),
    what: `read "${path}"`,
    headers: known === undefined ? {} : { "If-None-Match": known },
    signal: options.signal,
  };
  const response = await remote.connection.send(request);
  const { status } = response;
  if (status !== 200) await response.drain().catch(() => {});
  if (status === 304 && since !== undefined) return { kind: "same", cursor: since };
  if (status === 404 || status === 410) return { kind: since === MISSING ? "same" : "changed", cursor: MISSING };
  if (status !== 200) throw remote.connection.refusal(response, request);
  const opened = await openAnswer(remote, path, { response, request }, options);
  const etag = response.headers.get("etag");
  if (known === undefined || etag === null || canonicalEtag(etag) !== canonicalEtag(known))
    return { kind: "changed", cursor: cursorOf(opened.file, response), opened };
  await opened.body.cancel().catch(() => {});
  return { kind: opened.file.racy ? "changed" : "same", cursor: lookCursor(opened.file) };
}

function cursorOf(file: RemoteFile, { headers }: HttpResponse): string {
  const etag = headers.get("etag");
  return file.racy || etag === null ? lookCursor(file) : ETAG + etag;
}

function lookCursor({ racy, rev }: RemoteFile): string {
  return racy ? "" : LOOK + rev;
}

async function pollByLook(remote: Remote, path: RelPath, since: string, options: CallOptions): Promise<Polled> {
  const file = await statFile(remote.connection, remote.facts, path, options);
  const cursor = file === undefined ? MISSING : lookCursor(file);
  return { kind: cursor === since ? "same" : "changed", cursor };
}
