import type { FakeOneDrive } from "../fakes/onedrive/server.ts";
import { type CloudLab, cloudLab } from "./cloud-lab.ts";
import { endpointsOf, FOLDER } from "./onedrive-setup.ts";

/** A project that is mirrored to the fake and signed in. */
export async function oneDriveLab(fake: FakeOneDrive): Promise<CloudLab> {
  const lab = cloudLab({ env: endpointsOf(fake), counter: fake });
  await lab.ok(
    "init",
    "--onedrive-client-id",
    fake.identity.clientId,
    "--onedrive-folder",
    FOLDER,
    "--patterns",
    "**/*",
  );
  await lab.ok("auth");
  return lab;
}
