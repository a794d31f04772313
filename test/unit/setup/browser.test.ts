import { expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { browserCommand, openBrowser } from "../../../src/setup/browser.ts";
import { tempFolder } from "../../support/temp.ts";

test.each([
  ["linux", {}, undefined],
  ["linux", { DISPLAY: ":0" }, ["xdg-open"]],
  ["linux", { WAYLAND_DISPLAY: "wayland-0" }, ["xdg-open"]],
  ["linux", { DISPLAY: "localhost:10.0", SSH_CONNECTION: "1.2.3.4 1 5.6.7.8 22" }, undefined],
  ["darwin", {}, ["open"]],
  ["darwin", { SSH_TTY: "/dev/ttys001" }, undefined],
  ["linux", { BROWSER: "firefox" }, ["firefox"]],
] as const)("browserCommand: on %s with %p it is %p", (platform, env, command) => {
  expect(browserCommand(env, platform)).toEqual(command as readonly string[]);
});

test("openBrowser: gives the address to the browser that BROWSER names, and says when none starts", async () => {
  const folder = tempFolder("browser");
  const script = join(folder, "browser");
  const seen = join(folder, "seen");
  writeFileSync(script, `#!/bin/sh\nprintf %s "$1" > "${seen}"\n`, { mode: 0o755 });
  expect(await openBrowser("https://a.example/?x=1&y=2", { BROWSER: script })).toBe(true);
  for (let i = 0; i < 1000 && !(existsSync(seen) && readFileSync(seen, "utf8") !== ""); i++) await Bun.sleep(5);
  expect(readFileSync(seen, "utf8")).toBe("https://a.example/?x=1&y=2");
  expect(await openBrowser("https://a.example", { BROWSER: join(folder, "none") })).toBe(false);
  expect(await openBrowser("file:///etc/passwd", { BROWSER: script })).toBe(false);
});
