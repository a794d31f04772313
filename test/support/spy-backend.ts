import type { Backend } from "../../src/backends/types.ts";

export type Verb = "list" | "stat" | "read" | "write" | "remove" | "copy";

/** A backend that notes each request, `verb path`, and lets a test act before one. */
export interface SpyBackend extends Backend {
  readonly requests: string[];
  /** Called before every request is passed on; what it throws is the request's failure. */
  before: (verb: Verb, path: string) => void | Promise<void>;
  /** How many requests of this verb were made. */
  count(verb: Verb): number;
}

/** Wraps `backend`; its optional verbs are left out, `copy` and `removeFolder` too unless asked for. */
export function spyBackend(backend: Backend, options: { readonly copy?: boolean } = {}): SpyBackend {
  const note = async (verb: Verb, path: string): Promise<void> => {
    spy.requests.push(`${verb} ${path}`);
    await spy.before(verb, path);
  };
  const spy: SpyBackend = {
    kind: backend.kind,
    can: backend.can,
    requests: [],
    before: () => {},
    count: (verb) => spy.requests.filter((request) => request.startsWith(`${verb} `)).length,
    async list(under, options) {
      await note("list", under);
      return backend.list(under, options);
    },
    async stat(path, options) {
      await note("stat", path);
      return backend.stat(path, options);
    },
    async read(path, options) {
      await note("read", path);
      return backend.read(path, options);
    },
    async write(path, source, options) {
      await note("write", path);
      return backend.write(path, source, options);
    },
    async remove(path, options) {
      await note("remove", path);
      return backend.remove(path, options);
    },
    ...(options.copy && backend.copy
      ? {
          async copy(from, to, call) {
            await note("copy", to);
            return (backend.copy as NonNullable<Backend["copy"]>)(from, to, call);
          },
          ...(backend.removeFolder && { removeFolder: backend.removeFolder }),
        }
      : {}),
    canonicalHash: (stored) => backend.canonicalHash(stored),
    close: () => backend.close(),
  };
  return spy;
}
