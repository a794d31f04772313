import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { APACHE_USER, startApache } from "./apache.ts";
import { startNginx } from "./nginx.ts";
import type { TestServer } from "./server-process.ts";
import { tempFolder } from "./temp.ts";
import { fingerprint } from "./tree.ts";
import { giveToServer } from "./webdav-setup.ts";

/** One project's remote, and the hand of somebody who changes it without us. */
export interface RemotePlace {
  /** Where its files are on this disk. */
  readonly folder: string;
  /** Keys of the project YAML that lead there. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Content of the token file. */
  readonly token: object | undefined;
  /** True where listings leave out names that begin with a dot. */
  readonly hidesDotNames: boolean;
  /** Names that the remote does not take. */
  readonly refuses?: RegExp;
  /** True where names that differ by case are one name. */
  readonly ignoresCase?: boolean;
  /** Variables that the program needs to find the remote. */
  readonly env?: Readonly<Record<string, string>>;
  /** Brings `folder` up to date where the remote is somewhere else than on this disk. */
  refresh?(): void;
  /** Every item with what changes by any write, where the remote is somewhere else than on this disk. */
  prints?(): readonly string[];
  /** How the Python tool's manifest names a file and its content (reference 1.21), as the service itself tells them. */
  inManifest?(path: string): { readonly id: string; readonly hash: string };
  put(path: string, content: string | Uint8Array): void;
  remove(path: string): void;
  /** Hides all of the remote; what it answers brings it back. */
  vanish(): () => void;
  /** True where the program runs inside the test's process. */
  readonly inProcess?: boolean;
}

/** Everything on the remote with what would show any write. */
export function remoteFingerprint({ folder, prints }: RemotePlace): readonly string[] {
  return prints?.() ?? fingerprint(folder);
}

export interface RemoteKind {
  readonly name: string;
  /** Starts what it takes; `place` makes a new, empty remote. */
  start(): Promise<{ readonly place: () => RemotePlace; readonly stop: () => Promise<void> }>;
}

/** The three remotes that every end-to-end scenario runs on. */
export const REMOTE_KINDS: readonly RemoteKind[] = [
  { name: "a local folder", start: async () => ({ place: localPlace, stop: async () => undefined }) },
  {
    name: "Apache",
    start: () => served(startApache({ auth: "basic" }), { token: { ...APACHE_USER } }),
  },
  { name: "nginx", start: () => served(startNginx(), { token: { ...APACHE_USER }, hidesDotNames: true }) },
];

/** A remote below a running server's root. */
export function servedPlace(
  server: TestServer,
  name: string,
  options: { readonly token?: object; readonly hidesDotNames?: boolean } = {},
): RemotePlace {
  const folder = join(server.root, name);
  mkdirSync(folder);
  giveToServer(folder);
  const settings = {
    backend: "webdav",
    webdav_url: `${server.origin}/dav/${encodeURIComponent(name)}/`,
    webdav_insecure_http: true,
  };
  return { settings, token: options.token, hidesDotNames: options.hidesDotNames ?? false, ...hand(folder) };
}

async function served(starting: Promise<TestServer>, options: Parameters<typeof servedPlace>[2]) {
  const server = await starting;
  let made = 0;
  return { place: () => servedPlace(server, `project ${++made}`, options), stop: () => server.stop() };
}

function localPlace(): RemotePlace {
  const folder = tempFolder("mirror");
  return {
    settings: { backend: "local", local_folder: folder },
    token: undefined,
    hidesDotNames: false,
    ...hand(folder),
  };
}

function hand(folder: string): Pick<RemotePlace, "folder" | "put" | "remove" | "vanish"> {
  return {
    folder,
    put(path, content) {
      const file = join(folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      giveToServer(folder);
    },
    remove: (path) => rmSync(join(folder, path), { recursive: true }),
    vanish() {
      renameSync(folder, `${folder} away`);
      return () => renameSync(`${folder} away`, folder);
    },
  };
}
