import { describe, setDefaultTimeout } from "bun:test";
import { startFakeDrive } from "../fakes/googledrive/server.ts";
import { googledrivePlace } from "../support/googledrive-place.ts";
import { twoMachineScenarios } from "../support/two-machine-scenarios.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

describe("two machines on Google Drive", () =>
  twoMachineScenarios({
    name: "Google Drive",
    async start() {
      const fake = await startFakeDrive();
      return { place: () => googledrivePlace(fake), stop: () => fake.stop() };
    },
  }));
