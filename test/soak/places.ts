import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatLog, type StoredEvent } from "../../src/activity/log.ts";
import { SYNC_LOG_PATH } from "../../src/backends/layout.ts";
import { pythonIso } from "../../src/lib/clock.ts";
import { foldersOf, relPath } from "../../src/lib/path.ts";
import { FakeDropbox } from "../fakes/dropbox.ts";
import { type FakeDrive, startFakeDrive } from "../fakes/googledrive/server.ts";
import { NEXTCLOUD_USER, startFakeNextcloud } from "../fakes/nextcloud/server.ts";
import { startFakeOneDrive } from "../fakes/onedrive/server.ts";
import { startFakePubsub } from "../fakes/pubsub/server.ts";
import { dropboxPlace } from "../support/dropbox-place.ts";
import { googledrivePlace } from "../support/googledrive-place.ts";
import { oneDrivePlace } from "../support/onedrive-place.ts";
import { CLOUD_PROJECT, TOPIC, TOPIC_ID } from "../support/pubsub-place.ts";
import type { RemotePlace } from "../support/remote-place.ts";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.ts";
import type { ProjectName } from "./scenario.ts";

/** How a project's remote is reached. */
export type Way = Pick<RemotePlace, "settings" | "token" | "env">;

/** A project's remote, and the hand that breaks it. */
export interface SoakPlace {
  readonly project: ProjectName;
  /** As colleagues reach it. */
  readonly direct: RemotePlace;
  /** As the watcher does: by a network that breaks. */
  readonly watched: Way;
  drop(): void;
  cut(): Promise<void>;
  hang(): void;
  mend(): Promise<void>;
  stop(): Promise<void>;
  restart(): Promise<void>;
  expire(): void;
  reset(): void;
  /** Ends the waits for a change whose time is over. */
  endWaits(): void;
  /** Requests that its server is answering right now. */
  open(): number;
  close(): Promise<void>;
}

/** What a server of a project can do besides answering. */
export interface Hands {
  readonly stop?: () => Promise<void>;
  readonly restart?: () => Promise<void>;
  readonly expire?: () => void;
  readonly reset?: () => void;
  readonly endWaits?: () => void;
  readonly open?: () => number;
  readonly close?: () => Promise<void>;
}

const NOTHING = () => undefined;
const NOTHING_LATER = async () => undefined;

/** A remote behind servers at these addresses (`http://127.0.0.1:PORT`). */
export async function servedSoakPlace(
  project: ProjectName,
  origins: readonly string[],
  direct: RemotePlace,
  hands: Hands,
): Promise<SoakPlace> {
  const proxies = await Promise.all(origins.map(startTcpProxy));
  const through = <T>(value: T): T => {
    const text = proxies.reduce(
      (all, { origin }, i) => all.replaceAll(origins[i] ?? "", origin),
      JSON.stringify(value),
    );
    return JSON.parse(text) as T;
  };
  const each = async (act: (proxy: TcpProxy) => unknown) => {
    await Promise.all(proxies.map(act));
  };
  return {
    project,
    direct,
    watched: {
      settings: through(direct.settings),
      token: direct.token,
      ...(direct.env && { env: through(direct.env) }),
    },
    drop() {
      for (const proxy of proxies) proxy.drop();
    },
    cut: () => each((proxy) => proxy.cut()),
    hang() {
      for (const proxy of proxies) proxy.hang();
    },
    mend: () => each((proxy) => proxy.mend()),
    stop: hands.stop ?? (() => each((proxy) => proxy.cut())),
    restart: hands.restart ?? (() => each((proxy) => proxy.mend())),
    expire: hands.expire ?? NOTHING,
    reset: hands.reset ?? NOTHING,
    endWaits: hands.endWaits ?? NOTHING,
    open: hands.open ?? (() => 0),
    async close() {
      await each((proxy) => proxy.close());
      await hands.close?.();
    },
  };
}

/** A folder that is unplugged and comes back. */
export function localSoakPlace(direct: RemotePlace): SoakPlace {
  const away = `${direct.folder}-away`;
  const move = (from: string, to: string) => {
    if (existsSync(from)) renameSync(from, to);
  };
  const unplug = async () => move(direct.folder, away);
  const plug = async () => move(away, direct.folder);
  return {
    project: "local",
    direct,
    watched: direct,
    drop: NOTHING,
    cut: unplug,
    hang: NOTHING,
    mend: plug,
    stop: unplug,
    restart: plug,
    expire: NOTHING,
    reset: NOTHING,
    endWaits: NOTHING,
    open: () => 0,
    close: NOTHING_LATER,
  };
}

export interface CloudOptions {
  /** Whether there is a project with a topic, too. */
  readonly pubsub?: boolean;
  /** The services' clock, milliseconds since 1970. */
  readonly now?: () => number;
}

/** The three clouds, each a new folder on a service of its own in this process. */
export async function cloudSoakPlaces(options: CloudOptions = {}): Promise<readonly SoakPlace[]> {
  const dropbox = await FakeDropbox.start(options);
  const drive = await startFakeDrive(options);
  const onedrive = await startFakeOneDrive(options);
  return Promise.all([
    // One process has one way to Drive: that of the place that comes last.
    ...(options.pubsub === true ? [pubsubSoakPlace(drive)] : []),
    servedSoakPlace("dropbox", [dropbox.origin], dropboxPlace(dropbox), {
      expire: () => dropbox.expireAccessTokens(),
      reset() {
        dropbox.lists.expireCursors();
        dropbox.wakeWaiters();
      },
      endWaits: () => dropbox.wakeWaiters(),
      open: () => dropbox.open(),
      close: () => dropbox.stop(),
    }),
    servedSoakPlace("drive", [drive.origin], googledrivePlace(drive), {
      expire: () => drive.oauth.expireAccess(),
      reset: () => drive.expirePages(),
      open: () => drive.open(),
      close: () => drive.stop(),
    }),
    servedSoakPlace("onedrive", [onedrive.origin], oneDrivePlace(onedrive), {
      expire: () => onedrive.identity.expireAccess(),
      reset: () => onedrive.expireDelta(),
      open: () => onedrive.open(),
      close: () => onedrive.stop(),
    }),
  ]);
}

/** Another folder on that Drive, whose machines tell one another at once. */
async function pubsubSoakPlace(drive: FakeDrive): Promise<SoakPlace> {
  const pubsub = await startFakePubsub({ userOf: (token) => drive.oauth.userOf(token) });
  pubsub.store.createTopic(TOPIC);
  const place = googledrivePlace(drive);
  const direct: RemotePlace = {
    ...place,
    settings: { ...place.settings, gcp_project_id: CLOUD_PROJECT, pubsub_topic_id: TOPIC_ID },
    env: { ...place.env, CLAUDE_MIRROR_ENDPOINT_GOOGLEDRIVE_NOTIFY: pubsub.origin },
  };
  return servedSoakPlace("pubsub", [pubsub.origin], direct, {
    reset() {
      pubsub.store.subscriptions.clear();
      pubsub.grpc.endStreams(NOT_FOUND, "Resource not found");
    },
    close: () => pubsub.stop(),
  });
}

/** Status code of gRPC. */
const NOT_FOUND = 5;

/** A WebDAV server in this process. */
export async function nextcloudSoakPlace(): Promise<SoakPlace> {
  const nextcloud = await startFakeNextcloud();
  const folder = "project";
  nextcloud.files.makeFolder(folder);
  const direct: RemotePlace = {
    folder,
    settings: { backend: "webdav", webdav_url: `${nextcloud.url}/${folder}/`, webdav_insecure_http: true },
    token: NEXTCLOUD_USER,
    hidesDotNames: false,
    put(path, content) {
      for (const above of foldersOf(relPath(path))) nextcloud.files.makeFolder(`${folder}/${above}`);
      nextcloud.files.put(`${folder}/${path}`, Buffer.from(content as Uint8Array), "");
    },
    remove: (path) => nextcloud.files.remove(`${folder}/${path}`),
    vanish() {
      throw new Error("nobody asks for this here");
    },
  };
  return servedSoakPlace("webdav", [nextcloud.origin], direct, {
    open: () => nextcloud.open(),
    close: () => nextcloud.stop(),
  });
}

/** A log as full as it gets, of long ago. */
export function fullLog(nowMs: number): string {
  const events = Array.from({ length: 200 }, (_, i): StoredEvent => {
    const timestamp = pythonIso(nowMs - (200 - i) * 60_000);
    return { machine: "ws", user: "carol", timestamp, files: [`old/file-${i}.md`], action: "push", project: "project" };
  });
  return formatLog(events);
}

/** Puts a full log there, before anybody comes. */
export function fillLog({ direct }: SoakPlace, nowMs: number): void {
  direct.put(SYNC_LOG_PATH, fullLog(nowMs));
}

/** As the Python tool leaves them. In one go, so that nobody writes in between. */
export function doubleEntries({ direct }: SoakPlace): void {
  const file = join(direct.folder, SYNC_LOG_PATH);
  if (!existsSync(file)) return;
  const { events } = JSON.parse(readFileSync(file, "utf8")) as { readonly events: readonly unknown[] };
  const doubled = events.flatMap((event, at) => (at < events.length - 5 ? [event] : [event, event]));
  writeFileSync(file, JSON.stringify({ events: doubled.slice(-200) }));
}
