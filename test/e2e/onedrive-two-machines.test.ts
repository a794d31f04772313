import { describe, setDefaultTimeout } from "bun:test";
import { startFakeOneDrive } from "../fakes/onedrive/server.ts";
import { oneDrivePlace } from "../support/onedrive-place.ts";
import { twoMachineScenarios } from "../support/two-machine-scenarios.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

describe("two machines on OneDrive", () =>
  twoMachineScenarios({
    name: "OneDrive",
    async start() {
      const fake = await startFakeOneDrive();
      return { place: () => oneDrivePlace(fake), stop: () => fake.stop() };
    },
  }));
