import { describe, setDefaultTimeout } from "bun:test";
import { cloudMirrorScenarios } from "../../support/cloud-mirror-scenarios.ts";
import { faultyDropbox } from "../../support/faulty-clouds.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

describe("mirror on Dropbox", () => cloudMirrorScenarios(faultyDropbox, { mostRequests: 14 }));
