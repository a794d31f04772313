import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { countMethods, freePort, restartable, startServer, type TestServer } from "./server-process.ts";
import { tempFolder } from "./temp.ts";

export interface ApacheOptions {
  /** How requests must be signed; the account is `me` with the password `secret ü`. */
  readonly auth?: "none" | "basic" | "digest";
  /** `DavDepthInfinity on`. */
  readonly deepListings?: boolean;
  /** mod_deflate for everything, as on Debian. */
  readonly deflate?: boolean;
  /** Serve https with this certificate and key (PEM files). */
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** More lines for the DAV folder's configuration. */
  readonly extra?: string;
}

export const APACHE_USER = { username: "me", password: "secret ü" } as const;

const MODULES = "/usr/lib/apache2/modules";
const BINARY = "/usr/sbin/apache2";

/** A private Apache with mod_dav on a loopback port. `root` is served at `/dav/`. */
export async function startApache(options: ApacheOptions = {}): Promise<TestServer> {
  const home = tempFolder("apache");
  const documents = join(home, "www");
  const root = join(documents, "dav");
  for (const folder of [documents, root, join(home, "locks"), join(home, "run")]) mkdirSync(folder);
  const port = await freePort();
  const accounts = join(home, "accounts");
  if (options.auth === "basic") passwordFile(accounts);
  if (options.auth === "digest") digestFile(accounts);
  const file = join(home, "httpd.conf");
  writeFileSync(file, configuration(options, { home, documents, port, accounts }));
  if (process.getuid?.() === 0) Bun.spawnSync(["chown", "-R", "www-data", home]);
  const log = join(home, "error.log");
  const start = () =>
    startServer([BINARY, "-f", file, "-d", home, "-DFOREGROUND"], {
      port,
      log,
    });
  const origin = options.tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  return {
    origin,
    root,
    counts: () => countMethods(readFileSync(join(home, "access.log"), "utf8")),
    ...(await restartable(start)),
  };
}

function passwordFile(file: string): void {
  const { username, password } = APACHE_USER;
  const made = Bun.spawnSync(["htpasswd", "-i", "-c", "-m", file, username], { stdin: Buffer.from(`${password}\n`) });
  if (made.exitCode !== 0) throw new Error(`htpasswd: ${made.stderr.toString()}`);
}

function digestFile(file: string): void {
  const { username, password } = APACHE_USER;
  const hash = new Bun.CryptoHasher("md5").update(`${username}:${REALM}:${password}`).digest("hex");
  writeFileSync(file, `${username}:${REALM}:${hash}\n`);
}

const REALM = "test realm";

interface Places {
  readonly home: string;
  readonly documents: string;
  readonly port: number;
  readonly accounts: string;
}

function configuration(options: ApacheOptions, places: Places): string {
  const { home, documents, port, accounts } = places;
  const modules = ["mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_basic", "auth_digest"];
  modules.push("dav", "dav_fs", "headers", "setenvif", "rewrite", "mime", "dir", "filter", "deflate", "ssl");
  const loads = modules.filter((name) => existsSync(`${MODULES}/mod_${name}.so`));
  return `
ServerRoot ${home}
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${home}/run/pid
DefaultRuntimeDir ${home}/run
Mutex file:${home}/run
ErrorLog ${home}/error.log
LogLevel warn
${loads.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join("\n")}
${process.getuid?.() === 0 ? "User www-data\nGroup www-data" : ""}
TypesConfig /dev/null
LogFormat "%m %U %>s" short
CustomLog ${home}/access.log short
KeepAlive On
MaxKeepAliveRequests 0
StartServers 1
ServerLimit 4
ThreadsPerChild 32
MaxRequestWorkers 128
LimitRequestBody 0
LimitXMLRequestBody 0
DavLockDB ${home}/locks/db
${options.tls ? `SSLEngine on\nSSLCertificateFile ${options.tls.certificate}\nSSLCertificateKeyFile ${options.tls.key}` : ""}
DocumentRoot ${documents}
<Directory ${documents}>
  Require all denied
</Directory>
<Location /dav>
  Dav On
  ${options.deepListings ? "DavDepthInfinity On" : ""}
  ${authLines(options.auth ?? "none", accounts)}
  ${options.deflate ? "SetOutputFilter DEFLATE" : ""}
  ${options.extra ?? ""}
</Location>
`;
}

function authLines(auth: "none" | "basic" | "digest", accounts: string): string {
  if (auth === "none") return "Require all granted";
  const type = auth === "basic" ? "Basic" : "Digest";
  const provider = auth === "basic" ? "AuthBasicProvider file" : "AuthDigestProvider file";
  return `AuthType ${type}\n  AuthName "${REALM}"\n  ${provider}\n  AuthUserFile ${accounts}\n  Require valid-user`;
}
