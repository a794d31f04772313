import { createWriteStream } from "node:fs";
import { hasher } from "../lib/hash.ts";
import { createHttpClient, type HttpClient } from "../lib/http-client.ts";
import type { HttpResponse } from "../lib/http-response.ts";
import { addressTrouble, parseAddress } from "../lib/web-address.ts";

/** Where releases are, laid out as docs/install.md says. */
export interface Releases {
  readonly url: string;
  /** The version that `latest` is. */
  newest(): Promise<string>;
  /** The SHA-256 of a file of a release, 64 hex digits. */
  checksum(version: string, file: string): Promise<string>;
  /** Writes a file of a release to `target`, which must not exist, and answers the SHA-256 of what came. */
  download(version: string, file: string, target: string): Promise<string>;
  close(): void;
}

export interface ReleasesOptions {
  readonly url: string;
  readonly signal: AbortSignal;
}

const MOST_REDIRECTS = 5;
const MOST_TEXT = 64 * 1024;

/** Throws for an address that a program must not come from: it has to be https, or http to this machine itself. */
export function openReleases({ url, signal }: ReleasesOptions): Releases {
  const base = checked(url).href.replace(/\/+$/, "");
  const http = createHttpClient();
  const get = (path: string) => follow(http, `${base}/${path}`, signal);
  return {
    url: base,
    async newest() {
      const text = (await (await get("latest/download/VERSION")).text(MOST_TEXT)).trim();
      if (!isVersion(text)) throw new Error(`cannot tell the newest version: ${base} answered "${text.slice(0, 40)}"`);
      return text;
    },
    async checksum(version, file) {
      const text = await (await get(`download/v${version}/SHA256SUMS`)).text(MOST_TEXT);
      const line = text.split("\n").find((each) => each.replace(/^[0-9a-f]{64} [ *]/, "") === file);
      if (!line || line.length <= 66)
        throw new Error(`cannot check ${file}: SHA256SUMS of ${version} has no line for it`);
      return line.slice(0, 64);
    },
    async download(version, file, target) {
      return writeBody(await get(`download/v${version}/${file}`), target);
    },
    close: () => http.close(),
  };
}

/** Letters that can stand in an address and a file name. */
export function isVersion(text: string): boolean {
  return /^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]{1,60})?$/.test(text);
}

/** Above 0 when `one` is newer (Semantic Versioning 2.0.0, 11). */
export function compareVersions(one: string, other: string): number {
  const [left, right] = [partsOf(one), partsOf(other)];
  for (let at = 0; at < 3; at++) {
    const apart = (left.numbers[at] ?? 0) - (right.numbers[at] ?? 0);
    if (apart !== 0) return apart;
  }
  if (left.tags.length === 0 || right.tags.length === 0) return right.tags.length - left.tags.length;
  for (let at = 0; at < Math.max(left.tags.length, right.tags.length); at++) {
    const apart = compareTags(left.tags[at], right.tags[at]);
    if (apart !== 0) return apart;
  }
  return 0;
}

function partsOf(version: string): { readonly numbers: readonly number[]; readonly tags: readonly string[] } {
  const [plain = ""] = version.split("+", 1);
  const [core = "", ...tags] = plain.split("-");
  return { numbers: core.split(".").map(Number), tags: tags.length > 0 ? tags.join("-").split(".") : [] };
}

function compareTags(one: string | undefined, other: string | undefined): number {
  if (one === undefined || other === undefined) return (one === undefined ? 0 : 1) - (other === undefined ? 0 : 1);
  const [left, right] = [/^\d+$/.test(one), /^\d+$/.test(other)];
  if (left && right) return Number(one) - Number(other);
  if (left !== right) return left ? -1 : 1;
  return one < other ? -1 : Number(one > other);
}

async function follow(http: HttpClient, address: string, signal: AbortSignal): Promise<HttpResponse> {
  let url = address;
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    const response = await http.request({ method: "GET", url, signal });
    if (response.ok) return response;
    await response.drain();
    const to = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || to === null)
      throw new Error(`cannot get ${url}: the server answered ${response.status} ${response.statusText}`.trim());
    url = checked(new URL(to, url).href).href;
  }
  throw new Error(`cannot get ${address}: it leads from one place to the next`);
}

function checked(address: string): URL {
  const url = parseAddress(address);
  // The query of a redirection is the storage's own signature.
  const trouble = addressTrouble(url && parseAddress(url.href.replace(/[?#].*$/, "")));
  if (url === undefined || trouble !== undefined) throw new Error(`cannot use the address "${address}": ${trouble}`);
  return url;
}

async function writeBody(response: HttpResponse, target: string): Promise<string> {
  const hash = hasher("sha256");
  const file = createWriteStream(target, { flags: "wx", mode: 0o600, flush: true });
  const ended = new Promise<void>((resolve, reject) => {
    file.once("close", resolve);
    file.once("error", reject);
  });
  ended.catch(() => undefined);
  try {
    const reader = response.stream().getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      hash.update(next.value);
      if (!file.write(next.value)) await new Promise((resolve) => file.once("drain", resolve).once("error", resolve));
      if (file.errored) break;
    }
  } finally {
    file.end();
  }
  await ended;
  return hash.hex();
}
