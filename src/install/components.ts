import { dirname } from "node:path";
import { addHook, dropHook, hookExample } from "../claude/hook.ts";
import { claudeDir, settingsFile, skillFile } from "../claude/places.ts";
import { skillText } from "../claude/skill.ts";
import { RefusedError } from "../lib/errors.ts";
import { findProgram, isSameFile } from "../platform/find-program.ts";
import { watcherService } from "../platform/service.ts";
import {
  addBlock,
  COMPLETION_MARKERS,
  completionLine,
  dropBlock,
  fishFile,
  loginShell,
  type Markers,
  PATH_MARKERS,
  pathLine,
  type Shell,
  type ShellPlaces,
  shellWord,
  startFile,
} from "../platform/shells.ts";
import type { Component, FileEdit, Unavailable } from "./component.ts";
import { COMPONENTS, type ComponentName } from "./model.ts";

export interface InstallPlaces extends ShellPlaces {
  /** Absolute path of this program as it is called. */
  readonly program: string;
  /** Where the record of the installation is. */
  readonly folder: string;
  /** Instead of the one that SHELL names. */
  readonly shell: Shell | undefined;
  /** The text of the manual page. */
  readonly manPage: string;
}

/** The component of this name for this machine and user. Looks at the PATH only. */
export function makeComponent(name: ComponentName, places: InstallPlaces): Component | Unavailable {
  switch (name) {
    case "path":
      return pathComponent(places);
    case "skill":
      return skillComponent(places);
    case "hook":
      return hookComponent(places);
    case "service":
      return serviceComponent(places);
    case "completion":
      return completionComponent(places);
    case "man":
      return manComponent(places);
  }
}

/** What is installed when nothing is named: the path only where this program is not on it. */
export function usualComponents({ env, program }: InstallPlaces): readonly ComponentName[] {
  const onPath =
    findProgram("claude-mirror", env["PATH"]) !== undefined || env["PATH"]?.split(":").includes(dirname(program));
  return onPath ? COMPONENTS.filter((name) => name !== "path") : COMPONENTS;
}

function skillComponent({ env, home }: InstallPlaces): Component {
  const print = skillText();
  const file = skillFile(claudeDir(env, home));
  return { name: "skill", file, change: { kind: "own", content: Buffer.from(print) }, print };
}

function hookComponent(places: InstallPlaces): Component {
  const { env, home, program } = places;
  const found = findProgram("claude-mirror", env["PATH"]);
  const name = found !== undefined && isSameFile(found, program) ? "claude-mirror" : shellWord(program);
  const command = `${name} inbox --hook`;
  const change: FileEdit = {
    kind: "edit",
    add(bytes) {
      const { text, replaced } = addHook(utf8(bytes), command);
      return { bytes: Buffer.from(text), notes: replaced.map((old) => `It replaces the hook \`${old}\`.`) };
    },
    drop: (bytes) => Buffer.from(dropHook(utf8(bytes))),
    isBlank: (bytes) => /^\s*(\{\s*\})?\s*$/.test(bytes.toString("latin1")),
  };
  const file = settingsFile(claudeDir(env, home));
  return { name: "hook", file, change, mode: 0o600, print: hookExample(command) };
}

function serviceComponent({ platform, env, home, program, folder }: InstallPlaces): Component | Unavailable {
  const service = watcherService({ platform, env, home, program, folder });
  if (service.kind === "systemd" && findProgram("systemctl", env["PATH"]) === undefined) {
    return {
      name: "service",
      why: "systemd is not here: run `claude-mirror watch-all` when you log in, or `claude-mirror watch --once --quiet` from cron.",
    };
  }
  const { file, content, kind } = service;
  const print = Buffer.from(content).toString(kind === "task" ? "utf16le" : "utf8");
  return { name: "service", file, change: { kind: "own", content: Buffer.from(content) }, print, commands: service };
}

function completionComponent(places: InstallPlaces): Component | Unavailable {
  const shell = places.shell ?? loginShell(places);
  if (!shell) return { name: "completion", why: `there is none for your shell "${places.env["SHELL"] ?? ""}".` };
  const line = completionLine(shell);
  if (shell === "fish") return fishComponent("completion", fishFile("completions", places), line);
  return blockComponent("completion", startFile(shell, places), { markers: COMPLETION_MARKERS, line });
}

/** Below the home folder whatever XDG_DATA_HOME says: man(1) looks beside the folders of the PATH, such as ~/.local/bin. */
function manComponent({ platform, home, manPage }: InstallPlaces): Component | Unavailable {
  if (platform === "win32") return { name: "man", why: "Windows has no manual pages: see claude-mirror help." };
  const file = `${home}/.local/share/man/man1/claude-mirror.1`;
  return { name: "man", file, change: { kind: "own", content: Buffer.from(manPage) }, print: manPage };
}

function pathComponent(places: InstallPlaces): Component {
  const shell = places.shell ?? loginShell(places);
  const line = pathLine(shell, dirname(places.program));
  if (shell === "fish") return fishComponent("path", fishFile("conf.d", places), line);
  return blockComponent("path", startFile(shell, places), { markers: PATH_MARKERS, line });
}

function fishComponent(name: ComponentName, file: string, line: string): Component {
  const print = `${line}\n`;
  return { name, file, change: { kind: "own", content: Buffer.from(print) }, print };
}

function blockComponent(
  name: ComponentName,
  file: string,
  { markers, line }: { readonly markers: Markers; readonly line: string },
): Component {
  // Start-up files may hold any bytes: each is one character of these texts.
  const bytesLine = Buffer.from(line).toString("latin1");
  const change: FileEdit = {
    kind: "edit",
    add(bytes) {
      const { text, replaced } = addBlock(narrow(bytes), markers, bytesLine);
      const notes = replaced ? ["It replaces what another version put there."] : [];
      return { bytes: Buffer.from(text, "latin1"), notes };
    },
    drop: (bytes) => Buffer.from(dropBlock(narrow(bytes), markers), "latin1"),
    isBlank: (bytes) => bytes.length === 0,
  };
  return { name, file, change, print: addBlock("", markers, line).text };
}

function narrow(bytes: Buffer): string {
  if (bytes.includes(0))
    throw new RefusedError("file-encoding", "it is no text of single bytes (UTF-16?): save it as UTF-8 first");
  return bytes.toString("latin1");
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new RefusedError("settings-unreadable", "it is not UTF-8: save it as UTF-8 first");
  }
}
