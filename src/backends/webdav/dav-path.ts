import { parseRelPath, type RelPath } from "../../lib/path.ts";

/** Where a remote root lies on its server. */
export interface DavRoot {
  /** Scheme, host and port: `https://cloud.example`. */
  readonly origin: string;
  /** The root's own URL without a slash at its end. */
  readonly url: string;
  /** The root's path, decoded, without a slash at its end: `""` for the server's root. */
  readonly path: string;
}

/** Reads a configured address. Throws TypeError for text that is no http or https address. */
export function davRoot(address: string): DavRoot {
  const url = new URL(address.trim());
  if (url.protocol !== "https:" && url.protocol !== "http:") throw new TypeError("not an http or https address");
  const encoded = url.pathname.replace(/\/+$/, "");
  return { origin: url.origin, url: url.origin + encoded, path: decodeURIComponent(encoded) };
}

/** The URL of a file. Every component is percent-encoded as RFC 3986 has it. */
export function fileUrl(root: DavRoot, path: RelPath): string {
  return `${root.url}/${encodePath(path)}`;
}

/** The URL of a folder, its slash included: servers redirect or refuse without. */
export function folderUrl(root: DavRoot, path: RelPath | ""): string {
  return path === "" ? `${root.url}/` : `${root.url}/${encodePath(path)}/`;
}

function encodePath(path: string): string {
  if (SAFE.test(path)) return path;
  return path
    .split("/")
    .map((part) => encodeURIComponent(part).replace(/[!'()*]/g, escapeCharacter))
    .join("/");
}

const SAFE = /^[A-Za-z0-9_./-]*$/;

function escapeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** What an href names: the root itself, a path below it, or something we cannot use. */
export type DavHref =
  | { readonly kind: "root" }
  | { readonly kind: "below"; readonly path: RelPath }
  | { readonly kind: "unusable"; readonly name: string; readonly reason: string };

/**
 * Reads the href of a multistatus response, a path or a whole URL, percent-decoded exactly once. It is not resolved:
 * a `..` is refused, not followed.
 */
export function readHref(root: DavRoot, href: string): DavHref {
  const encoded = href.replace(/^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]*/, "");
  const unusable = (reason: string): DavHref => ({ kind: "unusable", name: encoded.slice(0, 300), reason });
  if (/%2f/i.test(encoded)) return unusable("a slash inside a name");
  const whole = decodeOnce(encoded);
  if (whole === undefined) return unusable("a name that is not UTF-8");
  const path = whole.endsWith("/") ? whole.slice(0, -1) : whole;
  if (path === root.path) return { kind: "root" };
  if (!path.startsWith(`${root.path}/`)) return unusable("a name outside the remote folder");
  const below = parseRelPath(path.slice(root.path.length + 1));
  return below === undefined ? unusable("a name that would leave the remote folder") : { kind: "below", path: below };
}

function decodeOnce(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
