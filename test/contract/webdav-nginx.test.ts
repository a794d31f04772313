import { afterAll } from "bun:test";
import type { ServerFacts } from "../../src/backends/webdav/facts.ts";
import { startNginx } from "../support/nginx.ts";
import { probedFacts, webdavSetup } from "../support/webdav-setup.ts";
import { type ContractSetup, contractSuite } from "./suite.ts";

const server = await startNginx();
afterAll(() => server.stop());
const facts = await probedFacts(`${server.origin}/dav`);

const optOuts: ContractSetup["optOuts"] = {
  "dot names": "nginx leaves names that begin with a dot out of its listings, so that writing one is refused",
};

async function suite(name: string, changed: Partial<ServerFacts>, more: ContractSetup["optOuts"] = {}): Promise<void> {
  await contractSuite(name, webdavSetup(server, { ...facts, ...changed }, { optOuts: { ...optOuts, ...more } }));
}

await suite("nginx", {});
await suite("nginx without COPY", { copies: false });
await suite("nginx guarded by looking only", {
  update: "look",
  remove: "look",
  create: "look",
  copySource: "look",
  moveSource: "look",
});
