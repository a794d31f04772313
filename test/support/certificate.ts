import { join } from "node:path";
import { tempFolder } from "./temp.ts";

/** A certificate for `localhost` that nobody signed, with its key: PEM files. */
export function selfSigned(): { readonly certificate: string; readonly key: string } {
  const folder = tempFolder("tls");
  const [certificate, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate];
  const made = Bun.spawnSync(["openssl", ...words, ...subject]);
  if (made.exitCode !== 0) throw new Error(`openssl: ${made.stderr.toString()}`);
  return { certificate, key };
}
