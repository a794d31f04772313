import type { Checksum, ChecksumKind } from "../types.ts";
import { createXmlReader, XmlError } from "./xml-reader.ts";

/** One `response` of a multistatus (RFC 4918 section 14.24), as far as we ask for it. */
export interface DavEntry {
  /** As written by the server: percent-encoded, a path or a whole URL. */
  readonly href: string;
  /** The status of the whole response, where it has one instead of properties. */
  readonly status: number | undefined;
  readonly isFolder: boolean;
  readonly etag: string | undefined;
  readonly size: number | undefined;
  readonly modifiedMs: number | undefined;
  readonly checksums: readonly Checksum[];
  /** The worst status among properties that were not delivered, absent ones (404) left out. */
  readonly failed: number | undefined;
}

export interface MultistatusParser {
  /** The next bytes of the answer, cut anywhere. */
  write(bytes: Uint8Array): void;
  /** Says that the answer is over; throws XmlError when the document was cut short. */
  end(): void;
}

const DAV = "{DAV:}";
const OC = "{http://owncloud.org/ns}";

// Whole, because they are compared with every element of answers that have a million.
const MULTISTATUS = `${DAV}multistatus`;
const RESPONSE = `${DAV}response`;
const PROPSTAT = `${DAV}propstat`;
const PROP = `${DAV}prop`;
const HREF = `${DAV}href`;
const STATUS = `${DAV}status`;
const ETAG = `${DAV}getetag`;
const LENGTH = `${DAV}getcontentlength`;
const MODIFIED = `${DAV}getlastmodified`;
const COLLECTION = `${DAV}collection`;
const CHECKSUMS = `${OC}checksums`;
const CHECKSUM = `${OC}checksum`;

/** What a PROPFIND of ours asks for. */
export const PROPFIND_BODY = `<?xml version="1.0" encoding="utf-8"?>
<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns"><d:prop><d:resourcetype/><d:getetag/><d:getcontentlength/><d:getlastmodified/><oc:checksums/></d:prop></d:propfind>`;

interface Draft {
  href: string;
  status: number | undefined;
  isFolder: boolean;
  etag: string | undefined;
  size: number | undefined;
  modifiedMs: number | undefined;
  checksums: Checksum[];
  failed: number | undefined;
}

/** The properties of one propstat, held until its status says whether they count. */
interface Properties {
  status: number | undefined;
  collection: boolean;
  etag: string | undefined;
  size: string | undefined;
  modified: string | undefined;
  checksums: string;
}

/**
 * Reads a multistatus as it arrives and hands out each response once it is complete. Throws XmlError for anything
 * else than a multistatus: a login page, an error page, a document that ends too early.
 */
export function createMultistatusParser(onEntry: (entry: DavEntry) => void): MultistatusParser {
  const path: string[] = [];
  let draft = newDraft();
  let properties = newProperties();
  const inProp = () => path[2] === PROPSTAT && path[3] === PROP;
  const reader = createXmlReader({
    open(name) {
      if (path.length === 0 && name !== MULTISTATUS) throw new XmlError("the answer is not a multistatus");
      if (path.length === 1 && name === RESPONSE) draft = newDraft();
      if (path.length === 2 && name === PROPSTAT) properties = newProperties();
      path.push(name);
    },
    close(name, text) {
      path.pop();
      const depth = path.length;
      if (depth === 1 && name === RESPONSE) onEntry(finish(draft));
      else if (depth === 2 && path[1] === RESPONSE) closeInResponse(name, text);
      else if (depth === 3 && path[2] === PROPSTAT && name === STATUS) {
        properties.status = statusOf(text);
      } else if (depth >= 4 && inProp()) closeProperty(properties, depth, name, text);
    },
  });
  function closeInResponse(name: string, text: string): void {
    if (name === HREF) draft.href = draft.href === "" ? text.trim() : draft.href;
    else if (name === STATUS) draft.status = statusOf(text);
    else if (name === PROPSTAT) merge(draft, properties);
  }
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch {
      throw new XmlError("the answer is not UTF-8");
    }
  };
  return {
    write: (bytes) => reader.write(decode(bytes)),
    end() {
      reader.write(decode());
      reader.end();
    },
  };
}

function newDraft(): Draft {
  return {
    href: "",
    status: undefined,
    isFolder: false,
    etag: undefined,
    size: undefined,
    modifiedMs: undefined,
    checksums: [],
    failed: undefined,
  };
}

function newProperties(): Properties {
  return { status: undefined, collection: false, etag: undefined, size: undefined, modified: undefined, checksums: "" };
}

function closeProperty(properties: Properties, depth: number, name: string, text: string): void {
  if (depth === 4) {
    if (name === ETAG) properties.etag = text.trim();
    else if (name === LENGTH) properties.size = text.trim();
    else if (name === MODIFIED) properties.modified = text.trim();
    else if (name === CHECKSUMS) properties.checksums += ` ${text}`;
  } else if (depth === 5) {
    if (name === COLLECTION) properties.collection = true;
    else if (name === CHECKSUM) properties.checksums += ` ${text}`;
  }
}

function merge(draft: Draft, properties: Properties): void {
  const status = properties.status;
  if (status === undefined) throw new XmlError("properties without a status");
  if (status !== 200) {
    if (status !== 404) draft.failed = Math.max(draft.failed ?? 0, status);
    return;
  }
  if (properties.collection) draft.isFolder = true;
  if (properties.etag) draft.etag = properties.etag;
  if (properties.size) draft.size = sizeOf(properties.size);
  if (properties.modified) draft.modifiedMs = timeOf(properties.modified);
  draft.checksums.push(...checksumsOf(properties.checksums));
}

function finish(draft: Draft): DavEntry {
  if (draft.href === "") throw new XmlError("a response without href");
  return draft;
}

function statusOf(text: string): number {
  const match = /^\s*HTTP\/\d(?:\.\d)?\s+(\d{3})(?:\s|$)/.exec(text);
  if (!match) throw new XmlError(`not a status line: ${JSON.stringify(text.slice(0, 40))}`);
  return Number(match[1]);
}

function sizeOf(text: string): number {
  const size = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw new XmlError(`not a size: ${JSON.stringify(text.slice(0, 40))}`);
  return size;
}

function timeOf(text: string): number | undefined {
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

const KINDS: Readonly<Record<string, { readonly kind: ChecksumKind; readonly digits: number }>> = {
  SHA256: { kind: "sha256", digits: 64 },
  SHA1: { kind: "sha1", digits: 40 },
  MD5: { kind: "md5", digits: 32 },
};

/** `SHA1:… MD5:… ADLER32:…` as ownCloud and Nextcloud write it; kinds that we do not know are left out. */
export function checksumsOf(text: string): Checksum[] {
  const found: Checksum[] = [];
  for (const part of text.split(/\s+/)) {
    const colon = part.indexOf(":");
    const known = colon > 0 ? KINDS[part.slice(0, colon).toUpperCase()] : undefined;
    const value = part.slice(colon + 1).toLowerCase();
    if (known && value.length === known.digits && /^[0-9a-f]+$/.test(value)) found.push({ kind: known.kind, value });
  }
  return found;
}
