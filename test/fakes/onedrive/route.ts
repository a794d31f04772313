import type { FakeRequest } from "../fake-http.ts";

/** A request of Graph's files API, taken apart. */
export interface Route {
  readonly name: string;
  /** `me`, or the id of a drive. */
  readonly drive?: string;
  /** Id of the item that the address begins at; `root` for the drive's. */
  readonly anchor?: string;
  /** Below the anchor, decoded. */
  readonly path?: string;
  readonly action?: string;
}

const ACTIONS: Readonly<Record<string, string>> = {
  "GET ": "item",
  "PATCH ": "move",
  "DELETE ": "delete",
  "GET content": "content.read",
  "PUT content": "content",
  "GET children": "children",
  "POST children": "folder",
  "GET delta": "delta",
  "POST copy": "copy",
  "POST createUploadSession": "createUploadSession",
};

/**
 * Addresses of items by id and by path: `root:/a/b:/content`, `items/ID:/a/b:`, `items/ID/children`.
 * https://learn.microsoft.com/graph/onedrive-addressing-driveitems
 */
export function routeOf(request: Pick<FakeRequest, "method" | "url">): Route {
  const path = request.url.pathname;
  if (path.includes("/oauth2/v2.0/token")) return { name: "token" };
  if (/\/oauth2\/v2\.0\/|\/discovery\/|\/\.well-known\//.test(path)) return { name: "authorize" };
  if (path.startsWith("/up/")) return { name: request.method === "PUT" ? "fragment" : "session" };
  if (path.startsWith("/dl/")) return { name: "download" };
  if (path.startsWith("/monitor/")) return { name: "monitor" };
  if (path === "/v1.0/$batch") return { name: "batch" };
  const found = /^\/v1\.0\/(?:me\/drive|drives\/([^/]+))(?:\/(.*))?$/.exec(path);
  if (found === null) return { name: "unknown" };
  const drive = found[1] === undefined ? "me" : decodeURIComponent(found[1]);
  const rest = found[2] ?? "";
  if (rest === "") return { name: "drive", drive };
  const parts = /^(root|items\/([^/:]+))(?::\/(.*?)(?::(?:\/([A-Za-z]+))?)?|\/([A-Za-z]+))?$/.exec(rest);
  if (parts === null) return { name: "unknown", drive };
  const [, , id, inner = "", afterPath, afterId] = parts;
  const action = (afterPath ?? afterId ?? "").replace(/\(.*\)$/, "");
  const anchor = id === undefined ? "root" : decodeURIComponent(id);
  const decoded = inner.split("/").map(decodeURIComponent).join("/");
  return { name: ACTIONS[`${request.method} ${action}`] ?? "unknown", drive, anchor, path: decoded, action };
}
