import { describe, setDefaultTimeout } from "bun:test";
import { CLOUD_KINDS, inProcess } from "../../support/cloud-kinds.ts";
import { conflictScenarios } from "../../support/conflict-scenarios.ts";
import { dataLossScenarios } from "../../support/data-loss-scenarios.ts";
import { guardScenarios } from "../../support/guard-scenarios.ts";
import { manifestScenarios } from "../../support/manifest-scenarios.ts";
import { twoMachineScenarios } from "../../support/two-machine-scenarios.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

const kind = inProcess(CLOUD_KINDS.onedrive);
describe("conflicts on OneDrive", () => conflictScenarios(kind));
describe("data-loss cases on OneDrive", () => dataLossScenarios(kind));
describe("a project shared with the Python tool on OneDrive", () => manifestScenarios(kind));
describe("guards on OneDrive", () => guardScenarios(kind));
describe("two machines on OneDrive", () => twoMachineScenarios(kind));
