import { ctagOf, type Drive, etagOf, type Item, quickXor, sha1 } from "./store.ts";

export interface FacetOptions {
  readonly drive: Drive;
  readonly origin: string;
  readonly kind: "personal" | "business";
  /** Whether the server has worked out the hash yet. */
  readonly hashes: boolean;
  readonly download: (item: Item) => string;
}

const hashCache = new WeakMap<Uint8Array, string>();

/** A driveItem with all its properties. */
export function describe(item: Item, options: FacetOptions): Record<string, unknown> {
  const { drive, kind } = options;
  const base = {
    id: item.id,
    name: item.name,
    eTag: etagOf(item),
    cTag: ctagOf(item),
    size: item.bytes.length,
    createdDateTime: new Date(item.created).toISOString(),
    lastModifiedDateTime: new Date(item.modified).toISOString(),
    ...(item.parent === ""
      ? { root: {}, parentReference: { driveId: drive.id, driveType: kind } }
      : {
          parentReference: {
            driveId: drive.id,
            driveType: kind,
            id: item.parent,
            path: `/drive/root:${item.parent === drive.root ? "" : `/${encodeURI(drive.pathOf(item.parent))}`}`,
          },
        }),
  };
  if (item.kind === "folder") return { ...base, folder: { childCount: drive.children(item.id).length } };
  if (item.kind === "package") return { ...base, package: { type: "oneNote" } };
  if (item.kind === "remote") {
    const { target } = item;
    const remote = { id: target?.id, folder: {}, parentReference: { driveId: target?.drive, driveType: kind } };
    return { ...base, remoteItem: remote };
  }
  const hash = hashCache.get(item.bytes) ?? quickXor(item.bytes);
  hashCache.set(item.bytes, hash);
  const hashes = { quickXorHash: hash, ...(kind === "personal" ? { sha1Hash: sha1(item.bytes) } : {}) };
  return {
    ...base,
    file: { mimeType: "application/octet-stream", ...(options.hashes ? { hashes } : {}) },
    "@microsoft.graph.downloadUrl": options.download(item),
  };
}

/** Only what `$select` names; everything without one. */
export function selected(value: Record<string, unknown>, select: string | null): Record<string, unknown> {
  if (select === null) return value;
  const names = new Set(select.split(","));
  return Object.fromEntries(Object.entries(value).filter(([name]) => names.has(name) || name === "id"));
}
