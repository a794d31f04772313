import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { countMethods, freePort, restartable, startServer, type TestServer } from "./server-process.ts";
import { tempFolder } from "./temp.ts";

export interface NginxOptions {
  /** `client_max_body_size`; no limit when left out. */
  readonly bodyLimit?: string;
}

const BINARY = "/usr/sbin/nginx";
const MODULE = "/usr/lib/nginx/modules/ngx_http_dav_ext_module.so";

/** A private nginx with the dav and dav-ext modules on a loopback port. `root` is served at `/dav/`. */
export async function startNginx(options: NginxOptions = {}): Promise<TestServer> {
  const home = tempFolder("nginx");
  const documents = join(home, "www");
  const root = join(documents, "dav");
  for (const folder of [documents, root, join(home, "temp")]) mkdirSync(folder);
  const port = await freePort();
  const file = join(home, "nginx.conf");
  writeFileSync(file, configuration(options, { home, documents, port }));
  if (process.getuid?.() === 0) Bun.spawnSync(["chown", "-R", "www-data", home]);
  const log = join(home, "error.log");
  const start = () => startServer([BINARY, "-c", file, "-p", home, "-e", log], { port, log });
  const access = join(home, "access.log");
  const counts = () => countMethods(readFileSync(access, "utf8"));
  return { origin: `http://127.0.0.1:${port}`, root, counts, ...(await restartable(start)) };
}

function configuration(
  options: NginxOptions,
  places: { readonly home: string; readonly documents: string; readonly port: number },
): string {
  const { home, documents, port } = places;
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${home}/temp/${name};`,
  );
  return `
daemon off;
${process.getuid?.() === 0 ? "user www-data;" : ""}
worker_processes 1;
pid ${home}/pid;
load_module ${MODULE};
events { worker_connections 256; }
http {
  log_format short "$request_method $uri $status";
  access_log ${home}/access.log short;
  ${temp.join("\n  ")}
  keepalive_requests 100000;
  client_max_body_size ${options.bodyLimit ?? "0"};
  dav_ext_lock_zone zone=locks:1m;
  server {
    listen 127.0.0.1:${port};
    root ${documents};
    location /dav/ {
      dav_methods PUT DELETE MKCOL COPY MOVE;
      dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK;
      dav_ext_lock zone=locks;
      create_full_put_path off;
    }
  }
}
`;
}
