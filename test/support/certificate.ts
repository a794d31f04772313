import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "./temp.ts";

export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate for `host` that nobody signed, with its key: PEM files. */
export function selfSigned(host = "localhost"): Certificate {
  const folder = tempFolder("tls");
  const [certificate, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const subject = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`];
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate];
  const made = Bun.spawnSync(["openssl", ...words, ...subject]);
  if (made.exitCode !== 0) throw new Error(`openssl: ${made.stderr.toString()}`);
  return { certificate, key };
}

/** The same for `localhost`, out of date since 2021. */
export function expiredCertificate(): Certificate {
  const folder = tempFolder("tls");
  writeFileSync(join(folder, "index.txt"), "");
  writeFileSync(join(folder, "ca.conf"), AUTHORITY);
  const request = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request.pem"];
  const dates = ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"];
  const sign = ["ca", "-batch", "-notext", "-selfsign", "-config", "ca.conf", "-keyfile", "key.pem", ...dates];
  for (const words of [
    [...request, "-subj", "/CN=localhost"],
    [...sign, "-in", "request.pem", "-out", "cert.pem"],
  ]) {
    const made = Bun.spawnSync(["openssl", ...words], { cwd: folder });
    if (made.exitCode !== 0) throw new Error(`openssl: ${made.stderr.toString()}`);
  }
  return { certificate: join(folder, "cert.pem"), key: join(folder, "key.pem") };
}

const AUTHORITY = `
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = extensions
[any]
commonName = supplied
[extensions]
subjectAltName = DNS:localhost
basicConstraints = CA:TRUE
`;
