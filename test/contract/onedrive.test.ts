import { oneDriveContract, wrapped } from "../support/onedrive-setup.ts";
import { contractSuite } from "./suite.ts";

await contractSuite("OneDrive", oneDriveContract());
await contractSuite(
  "OneDrive for work under every wrapper",
  oneDriveContract({
    adapt: wrapped,
    habits({ habits }) {
      habits.kind = "business";
    },
  }),
);
await contractSuite(
  "OneDrive whose uploads ignore If-Match",
  oneDriveContract({
    habits({ habits }) {
      habits.honoursIfMatch = false;
    },
  }),
);

/** Every few requests something passing goes wrong, in turn. */
await contractSuite(
  "OneDrive on a bad day",
  oneDriveContract({
    adapt: wrapped,
    faults(fake) {
      let asked = 0;
      const nth = (turn: number) => () => ++asked % 55 === turn;
      const slow = { status: 429, headers: { "Retry-After": "1" }, body: '{"error":{"code":"activityLimitReached"}}' };
      fake.fault("*", { times: 1e9, when: nth(11), cut: "reply" });
      fake.fault("*", { times: 1e9, when: () => asked % 55 === 22, cut: "request" });
      fake.fault("*", { times: 1e9, when: () => asked % 55 === 33, reply: slow });
      fake.fault("*", { times: 1e9, when: () => asked % 55 === 44, reply: { status: 503, body: "<html>" } });
      fake.fault("*", {
        times: 1e9,
        when: () => asked % 55 === 5,
        before() {
          fake.identity.expireAccess();
          fake.expireDelta();
        },
      });
    },
    optOuts: {
      races: "of two clients that both lost their answers either may rightly say that it cannot tell who won",
      "vanished root":
        "a write whose answer is lost is looked up, and looking there finds no folder, which is another error",
    },
  }),
);
