import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { BackendConfig, BackendDeps, Secret } from "../../src/backends/module.ts";
import { createWebdavBackend, type WebdavBackendOptions } from "../../src/backends/webdav/backend.ts";
import { createConnection } from "../../src/backends/webdav/connection.ts";
import { davRoot } from "../../src/backends/webdav/dav-path.ts";
import type { ServerFacts } from "../../src/backends/webdav/facts.ts";
import { probeServer } from "../../src/backends/webdav/probe.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { createHttpClient } from "../../src/lib/http-client.ts";
import type { ContractRoot, ContractSetup } from "../contract/suite.ts";
import { backendConfig, backendDeps } from "./backend-config.ts";
import type { TestServer } from "./server-process.ts";
import { tempFolder } from "./temp.ts";

export function webdavConfig(url: string): BackendConfig {
  return backendConfig({ backend: "webdav", webdavUrl: url, webdavUsername: "me", webdavInsecureHttp: true });
}

export function webdavDeps(secret?: Secret): BackendDeps {
  return backendDeps({ stateFolder: tempFolder("state"), ...(secret ? { secret } : {}) });
}

/** A client of one folder, with nothing cached: facts as given. */
export function webdavClient(
  url: string,
  facts: ServerFacts,
  secret?: Secret,
  more: Partial<WebdavBackendOptions> = {},
) {
  const connection = createConnection({
    root: davRoot(url),
    http: createHttpClient(),
    clock: systemClock,
    secret,
    scheme: facts.scheme,
  });
  return createWebdavBackend({ connection, facts, clock: systemClock, ...more });
}

/** What the probe finds out about a server. */
export async function probedFacts(url: string, secret?: Secret): Promise<ServerFacts> {
  const connection = createConnection({ root: davRoot(url), http: createHttpClient(), clock: systemClock, secret });
  try {
    return await probeServer(connection, { clock: systemClock });
  } finally {
    connection.close();
  }
}

let made = 0;

/** A contract setup on a running server: a new folder below its root for every test. */
export function webdavSetup(
  server: TestServer,
  facts: ServerFacts,
  options: { readonly secret?: Secret; readonly optOuts?: ContractSetup["optOuts"] } = {},
): ContractSetup {
  return {
    ...(options.optOuts ? { optOuts: options.optOuts } : {}),
    async open(): Promise<ContractRoot> {
      const name = `root ${++made}`;
      const folder = join(server.root, name);
      mkdirSync(folder);
      giveToServer(folder);
      const url = `${server.origin}/dav/${encodeURIComponent(name)}`;
      const clients = [webdavClient(url, facts, options.secret)];
      return {
        backend: clients[0] as (typeof clients)[0],
        async second() {
          const client = webdavClient(url, facts, options.secret);
          clients.push(client);
          return client;
        },
        async removeRoot() {
          if (existsSync(folder)) renameSync(folder, join(server.root, `gone ${made}`));
        },
        async close() {
          for (const client of clients) await client.close();
        },
      };
    },
  };
}

/** Lets the server's own account write here when the tests run as root. */
export function giveToServer(folder: string): void {
  if (process.getuid?.() === 0) Bun.spawnSync(["chown", "-R", "www-data", folder]);
}
