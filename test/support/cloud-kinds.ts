import { FakeDropbox } from "../fakes/dropbox.ts";
import { startFakeDrive } from "../fakes/googledrive/server.ts";
import { startFakeOneDrive } from "../fakes/onedrive/server.ts";
import { dropboxPlace } from "./dropbox-place.ts";
import { googledrivePlace } from "./googledrive-place.ts";
import { oneDrivePlace } from "./onedrive-place.ts";
import type { RemoteKind, RemotePlace } from "./remote-place.ts";

/** The three clouds, each a service in this process. */
export const CLOUD_KINDS = {
  googledrive: cloudKind("Google Drive", startFakeDrive, googledrivePlace),
  dropbox: cloudKind("Dropbox", () => FakeDropbox.start(), dropboxPlace),
  onedrive: cloudKind("OneDrive", startFakeOneDrive, oneDrivePlace),
} as const;

function cloudKind<F extends { stop(): Promise<void> }>(
  name: string,
  begin: () => Promise<F>,
  place: (fake: F) => RemotePlace,
): RemoteKind {
  return {
    name,
    async start() {
      const fake = await begin();
      return { place: () => place(fake), stop: () => fake.stop() };
    },
  };
}

/** The same remote, and the program in the test's own process: many short runs take a fraction of the time. */
export function inProcess(kind: RemoteKind): RemoteKind {
  return {
    ...kind,
    async start() {
      const { place, stop } = await kind.start();
      return { place: () => ({ ...place(), inProcess: true }), stop };
    },
  };
}
