import { afterAll } from "bun:test";
import type { ServerFacts } from "../../src/backends/webdav/facts.ts";
import { APACHE_USER, startApache } from "../support/apache.ts";
import { probedFacts, webdavSetup } from "../support/webdav-setup.ts";
import { contractSuite } from "./suite.ts";

const server = await startApache({ auth: "basic", deepListings: true });
afterAll(() => server.stop());
const secret = APACHE_USER;
const facts = await probedFacts(`${server.origin}/dav`, secret);

const optOuts = {
  races: "Apache compares when a request begins, so that of writers within the same milliseconds several may win",
};

async function suite(name: string, changed: Partial<ServerFacts>): Promise<void> {
  await contractSuite(name, webdavSetup(server, { ...facts, ...changed }, { secret, optOuts }));
}

await suite("Apache", {});
await suite("Apache without deep listings", { deepListing: false });
await suite("Apache without COPY and MOVE", { copies: false, moves: false });
await suite("Apache guarded by If-None-Match and locks", { update: "lock", remove: "lock-tagged" });
await suite("Apache where creating goes through a temporary name", { create: "move" });
await suite("Apache guarded by looking only", {
  update: "look",
  remove: "look",
  create: "look",
  copySource: "look",
  moveSource: "look",
});
