import { existsSync, lstatSync, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { hashBytes } from "../lib/hash.ts";
import { systemState } from "../lib/system-error.ts";
import type { Component, FileEdit, OwnFile } from "./component.ts";
import type { ComponentStep, FileAction } from "./model.ts";
import { type FileRecord, type InstallRecord, readIfThere } from "./record.ts";

/** One component's step with the bytes that it was made for. */
export interface PlannedStep extends ComponentStep {
  readonly source: Component;
  /** Where the file really is, links followed. */
  readonly target: string;
  /** Undefined: no file. */
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
  /** Where bytes that are not ours are kept beside. */
  readonly aside: string | undefined;
}

interface Change {
  readonly action: FileAction;
  readonly after: Buffer | undefined;
  readonly notes?: readonly string[];
  readonly keepAside?: boolean;
}

/** What has to be done to install a component, or to take it out. Reads only. A file that cannot be edited is `refuse`. */
export function planStep(
  source: Component,
  record: InstallRecord,
  options: { readonly uninstall: boolean },
): PlannedStep {
  const base = { component: source.name, file: source.file, source };
  let target = source.file;
  try {
    target = realTarget(source.file);
    const before = readIfThere(target);
    const change = options.uninstall
      ? taken(source, { target, before, record })
      : added(source, { target, before, record });
    const aside = change.keepAside ? freeName(`${target}.bak`) : undefined;
    const kept = aside === undefined ? [] : [`What was there is kept as ${aside}.`];
    return {
      ...base,
      target,
      before,
      after: change.after,
      action: change.action,
      present: isPresent(source, before),
      aside,
      notes: [...(change.notes ?? []), ...kept],
    };
  } catch (error) {
    return {
      ...base,
      target,
      before: undefined,
      after: undefined,
      action: "refuse",
      present: false,
      aside: undefined,
      notes: [systemState(error)],
    };
  }
}

function isPresent({ change }: Component, before: Buffer | undefined): boolean {
  if (before === undefined) return false;
  return change.kind === "own" || !change.drop(before).equals(before);
}

interface Found {
  readonly target: string;
  readonly before: Buffer | undefined;
  readonly record: InstallRecord;
}

function added(source: Component, { target, before, record }: Found): Change {
  const { change } = source;
  if (change.kind === "own") return ownAdded(change, before, record.of(target));
  const { bytes, notes } = change.add(before ?? Buffer.alloc(0));
  if (before?.equals(bytes)) return { action: "none", after: before };
  return { action: before === undefined ? "create" : "change", after: bytes, notes };
}

function ownAdded({ content }: OwnFile, before: Buffer | undefined, known: FileRecord | undefined): Change {
  if (before === undefined) return { action: "create", after: content };
  if (before.equals(content)) return { action: "none", after: before };
  if (known?.after === digest(before)) return { action: "change", after: content };
  return { action: "replace", after: content, keepAside: true };
}

function taken(source: Component, found: Found): Change {
  const { before } = found;
  if (before === undefined) return { action: "none", after: undefined };
  return source.change.kind === "own"
    ? ownTaken(source.change, before, found.record.of(found.target))
    : editTaken(source.change, source, { ...found, before });
}

function ownTaken({ content }: OwnFile, before: Buffer, known: FileRecord | undefined): Change {
  if (before.equals(content) || known?.after === digest(before)) return { action: "remove", after: undefined };
  if (known)
    return { action: "remove", after: undefined, keepAside: true, notes: ["It was changed after the installation."] };
  return { action: "keep", after: before, notes: ["It was not installed by this program and stays."] };
}

function editTaken(
  edit: FileEdit,
  { name }: Component,
  { target, before, record }: Found & { readonly before: Buffer },
): Change {
  const known = record.of(target);
  const alone = known?.components.every((component) => component === name) ?? false;
  if (known && alone && known.after === digest(before)) {
    if (known.original === "absent") return { action: "remove", after: undefined };
    const original = known.original === "kept" ? record.original(target) : undefined;
    if (original) return { action: "restore", after: original };
  }
  const bytes = edit.drop(before);
  if (bytes.equals(before)) return { action: "none", after: before };
  if (known?.original === "absent" && alone && edit.isBlank(bytes)) return { action: "remove", after: undefined };
  return { action: "change", after: bytes };
}

/** Links are followed: a settings file that is linked into a folder of dotfiles stays linked. */
function realTarget(file: string): string {
  if (existsSync(file)) return realpathSync(file);
  if (lstatSync(file, { throwIfNoEntry: false })) throw new Error(`"${file}" is a link to a file that is not there`);
  const folder = dirname(file);
  return existsSync(folder) ? `${realpathSync(folder)}${file.slice(folder.length)}` : file;
}

function freeName(wanted: string): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}${number}`;
    if (!lstatSync(name, { throwIfNoEntry: false })) return name;
  }
}

/** How the record knows a content again. */
export function digest(bytes: Buffer): string {
  return hashBytes("sha256", bytes);
}
