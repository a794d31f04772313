import { afterAll } from "bun:test";
import { wrapBackend } from "../../src/backends/wrap/stack.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { FakeDropbox } from "../fakes/dropbox.ts";
import { dropboxContract } from "../support/dropbox-setup.ts";
import { contractSuite } from "./suite.ts";

const fake = await FakeDropbox.start();
afterAll(() => fake.stop());

const limits = { attempts: 3, parallel: 8, maxThrottleWaitMs: 60_000 };
await contractSuite(
  "Dropbox",
  dropboxContract(fake, (backend) =>
    wrapBackend(backend, { clock: systemClock, random: () => 0, checks: "strict", ...limits }),
  ),
);
