import { describe, setDefaultTimeout } from "bun:test";
import { guardScenarios } from "../support/guard-scenarios.ts";
import { REMOTE_KINDS } from "../support/remote-place.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

for (const kind of REMOTE_KINDS) describe(`guards on ${kind.name}`, () => guardScenarios(kind));
