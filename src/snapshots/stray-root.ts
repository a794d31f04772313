import { BackendError } from "../backends/errors.ts";
import type { Backend, Listing, RemoteFile } from "../backends/types.ts";
import { parseRelPath, type RelPath, relPath } from "../lib/path.ts";

/**
 * What lies in one folder of a remote as if that folder were the root, to read from: versions before 0.5.34 kept the
 * snapshots of a mirror in a folder named after the primary's root (reference 1.6).
 */
export function belowFolder(backend: Backend, folder: RelPath): Backend {
  const below = (path: RelPath | ""): RelPath => (path === "" ? folder : relPath(`${folder}/${path}`));
  const above = (path: RelPath): RelPath | undefined => parseRelPath(path.slice(folder.length + 1));
  const seen = (file: RemoteFile): RemoteFile => ({ ...file, path: above(file.path) ?? file.path });
  const refuse = async (): Promise<never> => {
    throw new BackendError(`cannot write to the old folder "${folder}"`, { class: "PERMISSION" });
  };
  return {
    kind: backend.kind,
    can: backend.can,
    async list(under, options = {}) {
      const { skip, ...rest } = options;
      const found = await backend.list(below(under), { ...rest, ...(skip && { skip: skip.map(below) }) });
      const folders = found.folders.flatMap((one) => above(one) ?? []);
      return { ...found, files: found.files.map(seen), folders } satisfies Listing;
    },
    async stat(path, options) {
      const file = await backend.stat(below(path), options);
      return file && seen(file);
    },
    async read(path, options) {
      const opened = await backend.read(below(path), options);
      return { ...opened, file: seen(opened.file) };
    },
    write: refuse,
    remove: refuse,
    canonicalHash: (stored) => backend.canonicalHash(stored),
    close: async () => undefined,
  };
}
