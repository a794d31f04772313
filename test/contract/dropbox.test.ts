import { afterAll } from "bun:test";
import { wrapBackend } from "../../src/backends/wrap/stack.ts";
import { FakeDropbox } from "../fakes/dropbox.ts";
import { dropboxContract, PASSING } from "../support/dropbox-setup.ts";
import { leapingClock } from "../support/leaping-clock.ts";
import { contractSuite } from "./suite.ts";

const fake = await FakeDropbox.start();
const troubled = await FakeDropbox.start();
afterAll(async () => {
  await Promise.all([fake.stop(), troubled.stop()]);
});

const limits = { parallel: 8, checks: "strict", random: () => 0 } as const;
await contractSuite(
  "Dropbox",
  dropboxContract(fake, (backend) =>
    wrapBackend(backend, { clock: leapingClock(), attempts: 3, maxThrottleWaitMs: 60_000, ...limits }),
  ),
);

const short = "the chapter before has it, and its many files would only meet the same trouble more often";
const setup = dropboxContract(troubled, (backend) =>
  wrapBackend(backend, { clock: leapingClock(), attempts: 8, maxThrottleWaitMs: Number.POSITIVE_INFINITY, ...limits }),
);
await contractSuite("Dropbox with trouble at every fourth request", {
  async open() {
    troubled.trouble = undefined;
    const root = await setup.open();
    troubled.trouble = { nth: 4, faults: PASSING.map(([, fault]) => fault) };
    return root;
  },
  optOuts: {
    scale: short,
    follow: "a wait that fails is not tried again by the wrappers: who waits decides what follows",
  },
});
