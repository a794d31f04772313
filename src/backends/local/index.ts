import { access, constants, mkdir, realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve, sep } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { BackendError } from "../errors.ts";
import type { BackendConfig, BackendDeps, BackendModule, Looked, Probed } from "../module.ts";
import type { Backend, Capabilities } from "../types.ts";
import { copyLocal, moveLocal } from "./copy.ts";
import { attempting, codeOf } from "./errors.ts";
import { type FileSystem, lookAtFileSystem, probeCaseSensitivity } from "./file-system.ts";
import { openFollower } from "./follow.ts";
import { readLocal } from "./read.ts";
import { removeFolderLocal } from "./remove-folder.ts";
import { attemptOn, describe, findFile, type LocalRoot, requireRoot, syncFolder, unlessMissing } from "./root.ts";
import { listLocal } from "./walk.ts";
import { removeLocal, writeLocal } from "./write.ts";

/** A folder that this machine can reach by itself: a second disk, a network share, another tool's synced folder. */
export const local: BackendModule = {
  kind: "local",
  label: "local folder",
  remoteRoot: (config) => resolve(config.localFolder),
  prepare,
  check,
  async known(config) {
    const can = capabilities(await lookAtFileSystem(resolve(config.localFolder)));
    return { can, created: false, notes: notesOn(can) };
  },
  async open(config, deps) {
    await requireApart(config);
    return openLocal({ folder: config.localFolder, clock: deps.clock });
  },
};

export interface LocalOptions {
  /** Absolute. It need not exist: then every verb but `list` fails until it does. */
  readonly folder: string;
  readonly clock: Clock;
  /** Facts to take instead of what looking at the folder says. */
  readonly fileSystem?: FileSystem;
  /** False to do without hard links. */
  readonly hardLinks?: boolean;
}

/** Opens a folder as a remote. Nothing is created. */
export async function openLocal(options: LocalOptions): Promise<Backend> {
  const folder = (await unlessMissing(realpath(options.folder)).catch(() => undefined)) ?? resolve(options.folder);
  const fileSystem = options.fileSystem ?? (await lookAtFileSystem(folder));
  const root: LocalRoot = {
    folder,
    clock: options.clock,
    names: fileSystem.names,
    version: { stableInodes: fileSystem.stableInodes },
    hardLinks: options.hardLinks ?? true,
    leftovers: new Set(),
    tidied: new Set(),
  };
  const follower = openFollower(root);
  return {
    kind: "local",
    can: capabilities(fileSystem),
    list: (under, list) => listLocal(root, under, list),
    async stat(path, call) {
      call?.signal?.throwIfAborted();
      const found = await findFile(root, path, attemptOn(root, "look at", path));
      return found && describe(root, path, found);
    },
    read: (path, read) => readLocal(root, path, read),
    write: (path, source, write) => writeLocal(root, path, source, write),
    remove: (path, remove) => removeLocal(root, path, remove),
    copy: (from, to, copy) => copyLocal(root, from, to, copy),
    move: (from, to, copy) => moveLocal(root, from, to, copy),
    removeFolder: (path, call) => removeFolderLocal(root, path, call),
    waitForChange: (path, call) => follower.wait(path, call?.signal),
    canonicalHash: (stored) => stored,
    close: async () => follower.close(),
  };
}

/** `lock`: our own clients keep each other out; creates are refused by the file system itself where it has hard links. */
function capabilities(fileSystem: FileSystem): Capabilities {
  return {
    guard: "lock",
    checksums: [],
    writeReturnsRev: true,
    listsDeep: true,
    atomicWrite: true,
    names: fileSystem.names,
    ...(fileSystem.maxFileSize === undefined ? {} : { maxFileSize: fileSystem.maxFileSize }),
  };
}

async function prepare(config: BackendConfig, deps: BackendDeps): Promise<Probed> {
  await requireApart(config);
  deps.signal?.throwIfAborted();
  const folder = resolve(config.localFolder);
  const attempt = { folder, verb: "create", path: "" };
  const created = (await attempting(attempt, () => mkdir(folder, { recursive: true }))) !== undefined;
  if (created) await attempting(attempt, () => syncFolder(dirname(folder)));
  const found = await lookAtFileSystem(folder);
  const caseSensitive = await attempting({ ...attempt, verb: "write to" }, () => probeCaseSensitivity(folder));
  const can = capabilities({ ...found, names: { ...found.names, caseSensitive } });
  return { can, created, notes: notesOn(can) };
}

/** What a person should know about the folder, one line each. */
function notesOn(can: Capabilities): string[] {
  const notes: string[] = [];
  if (!can.names.caseSensitive) notes.push("names that differ only by case are one file there");
  if (can.names.forbidden !== "") notes.push(`names with any of ${can.names.forbidden} cannot be stored there`);
  if (can.maxFileSize !== undefined) notes.push("files of 4 GiB and more cannot be stored there");
  return notes;
}

async function check(config: BackendConfig, deps: BackendDeps): Promise<Looked> {
  await requireApart(config);
  deps.signal?.throwIfAborted();
  const attempt = { folder: resolve(config.localFolder), verb: "use", path: "" };
  await requireRoot(attempt);
  await attempting(attempt, () => access(attempt.folder, constants.R_OK | constants.W_OK | constants.X_OK));
  return {};
}

/** Refuses a folder that is not named, not absolute, or inside or around the project (decision 14). */
async function requireApart(config: BackendConfig): Promise<void> {
  const { localFolder, projectPath } = config;
  const refuse = (state: string): never => {
    throw new BackendError(`cannot use the local folder "${localFolder}": ${state}`, {
      class: "FILE_REJECTED",
      hint: "Set local_folder to a folder outside the project, on another disk if possible.",
    });
  };
  if (localFolder === "") refuse("none is set");
  if (!isAbsolute(localFolder)) refuse("it is not an absolute path");
  const [remote, project] = await Promise.all([realOf(localFolder), realOf(projectPath)]);
  if (remote === project) refuse("it is the project itself");
  if (remote.startsWith(withSlash(project))) refuse(`it lies inside the project "${projectPath}"`);
  if (project.startsWith(withSlash(remote))) refuse(`the project "${projectPath}" lies inside it`);
}

function withSlash(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep;
}

/** The real path of what exists of `path`, with the rest as it is written. */
async function realOf(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return await realpath(absolute);
  } catch (error) {
    const code = codeOf(error);
    if ((code !== "ENOENT" && code !== "ENOTDIR") || dirname(absolute) === absolute) return absolute;
    return join(await realOf(dirname(absolute)), basename(absolute));
  }
}
