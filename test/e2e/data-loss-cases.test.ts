import { describe, setDefaultTimeout } from "bun:test";
import { dataLossScenarios } from "../support/data-loss-scenarios.ts";
import { REMOTE_KINDS } from "../support/remote-place.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

for (const kind of REMOTE_KINDS) describe(`data-loss cases on ${kind.name}`, () => dataLossScenarios(kind));
