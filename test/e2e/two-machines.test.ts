import { describe, setDefaultTimeout } from "bun:test";
import { REMOTE_KINDS } from "../support/remote-place.ts";
import { twoMachineScenarios } from "../support/two-machine-scenarios.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

for (const kind of REMOTE_KINDS) describe(`two machines on ${kind.name}`, () => twoMachineScenarios(kind));
