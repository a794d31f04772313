import { spawn } from "node:child_process";
import type { Env } from "../lib/dirs.ts";

/**
 * Opens a page in the person's browser: the one that BROWSER names, else the system's own where there is a display and
 * the person sits in front of it. True when a browser was started.
 */
export function openBrowser(url: string, env: Env): Promise<boolean> {
  const command = browserCommand(env, process.platform);
  if (command === undefined || !/^https?:\/\//.test(url)) return Promise.resolve(false);
  const [program = "", ...words] = command;
  return new Promise((resolve) => {
    const child = spawn(program, [...words, url], { detached: true, stdio: "ignore" });
    child.once("error", () => resolve(false));
    child.once("spawn", () => {
      child.unref();
      resolve(true);
    });
  });
}

/** The program and its first arguments; undefined where a browser would open in front of nobody. */
export function browserCommand(env: Env, platform: NodeJS.Platform): readonly string[] | undefined {
  if (env["SSH_CONNECTION"] || env["SSH_CLIENT"] || env["SSH_TTY"]) return undefined;
  const own = env["BROWSER"];
  if (own) return [own];
  if (platform === "darwin") return ["open"];
  if (platform === "win32") return ["rundll32", "url.dll,FileProtocolHandler"];
  return env["DISPLAY"] || env["WAYLAND_DISPLAY"] ? ["xdg-open"] : undefined;
}
