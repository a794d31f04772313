import { afterAll } from "bun:test";
import { NEXTCLOUD_USER, startFakeNextcloud } from "../fakes/nextcloud/server.ts";
import { probedFacts, webdavClient } from "../support/webdav-setup.ts";
import { contractSuite } from "./suite.ts";

const server = await startFakeNextcloud();
afterAll(() => server.stop());
const facts = await probedFacts(server.url, NEXTCLOUD_USER);
let made = 0;

await contractSuite("Nextcloud", {
  async open() {
    const name = `root ${++made}`;
    server.files.makeFolder(name);
    const client = () => webdavClient(`${server.url}/${encodeURIComponent(name)}`, facts, NEXTCLOUD_USER);
    return {
      backend: client(),
      second: async () => client(),
      removeRoot: async () => server.files.remove(name),
      close: async () => {},
    };
  },
});
