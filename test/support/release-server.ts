import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** Releases on loopback, laid out as install.sh expects them. */
export interface ReleaseServer {
  readonly url: string;
  /** Paths that were asked for, in order. */
  readonly asked: string[];
  /** Makes `content` the program of a release, for this machine with either C library. */
  publish(version: string, content: Uint8Array): void;
  /** What happens to the program on its way from now on. */
  damage: "none" | "one bit" | "cut off" | "no checksum";
  stop(): Promise<void>;
}

export function startReleases(): ReleaseServer {
  const releases = new Map<string, Uint8Array>();
  const asked: string[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 30,
    fetch(request) {
      const { pathname } = new URL(request.url);
      asked.push(pathname);
      if (pathname === "/latest/download/VERSION") return new Response(`${[...releases.keys()].at(-1)}\n`);
      if (pathname.startsWith("/moved/"))
        return Response.redirect(`${answer.url}${pathname.slice("/moved".length)}?signature=1`, 302);
      if (pathname.startsWith("/elsewhere/")) return Response.redirect(`http://192.0.2.1${pathname}`, 302);
      const [, version, file = ""] = /^\/(?:latest\/download|download\/v([^/]+))\/([\w.-]+)$/.exec(pathname) ?? [];
      const content = version === undefined ? [...releases.values()].at(-1) : releases.get(version);
      if (!content) return new Response("no such release", { status: 404 });
      if (file === "SHA256SUMS") return new Response(sumsOf(content, answer.damage));
      if (!file.startsWith("claude-mirror-")) return new Response("no such file", { status: 404 });
      return programOf(content, answer.damage);
    },
  });
  const answer: ReleaseServer = {
    url: `http://127.0.0.1:${server.port}`,
    asked,
    damage: "none",
    publish(version, content) {
      releases.delete(version);
      releases.set(version, content);
    },
    stop: () => server.stop(true),
  };
  return answer;
}

function sumsOf(content: Uint8Array, damage: ReleaseServer["damage"]): string {
  const sum = createHash("sha256").update(content).digest("hex");
  const names =
    damage === "no checksum" ? ["x64-freebsd"] : ["linux-x64", "linux-x64-musl", "linux-arm64", "linux-arm64-musl"];
  return names.map((name) => `${sum}  claude-mirror-${name}\n`).join("");
}

function programOf(content: Uint8Array, damage: ReleaseServer["damage"]): Response {
  if (damage === "one bit") {
    const copy = Uint8Array.from(content);
    copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 1;
    return new Response(copy);
  }
  // Without a length, so that the client cannot tell by itself that something is missing.
  if (damage === "cut off") return new Response(new Blob([content.slice(0, content.length - 100)]).stream());
  return new Response(content as Uint8Array<ArrayBuffer>);
}

/** A small program that answers `version` and `install --dry-run` as ours does; `fault` is run before `--version` is answered. */
export function oldProgram(version: string, fault = ":"): Uint8Array {
  return Buffer.from(`#!/bin/sh
case "$1" in
  version) printf '{"version":1,"command":"version","result":{"version":"${version}"}}\\n' ;;
  install) if [ "$2" = --only ]; then echo "$*" >"$HOME/renewed"; else printf '{"result":{"components":[{"component":"skill","action":"change"},{"component":"hook","action":"none"},{"component":"man","action":"change"}]}}\\n'; fi ;;
  --version) ${fault}; echo "claude-mirror ${version}" ;;
esac
`);
}

export function fileBytes(file: string): Uint8Array {
  return readFileSync(file);
}
