import { describe, setDefaultTimeout } from "bun:test";
import { CLOUD_KINDS } from "../support/cloud-kinds.ts";
import { twoMachineScenarios } from "../support/two-machine-scenarios.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

describe("two machines on OneDrive", () => twoMachineScenarios(CLOUD_KINDS.onedrive));
