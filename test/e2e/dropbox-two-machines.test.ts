import { describe, setDefaultTimeout } from "bun:test";
import { FakeDropbox } from "../fakes/dropbox.ts";
import { dropboxPlace } from "../support/dropbox-place.ts";
import { twoMachineScenarios } from "../support/two-machine-scenarios.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

describe("two machines on Dropbox", () =>
  twoMachineScenarios({
    name: "Dropbox",
    async start() {
      const fake = await FakeDropbox.start();
      return { place: () => dropboxPlace(fake), stop: () => fake.stop() };
    },
  }));
