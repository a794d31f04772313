import { compareCodePoints } from "../lib/path.ts";
import { type ConfigValue, type ConfigValues, OWN_KEYS, seedDefaults } from "./config-keys.ts";
import type { Machine } from "./machine.ts";
import { emitText } from "./yaml-emit.ts";

/**
 * The text of a new project YAML, byte for byte as the Python tool 0.5.31 would write it: its 30 keys sorted, those
 * that are not given with their default (`snapshot_format` is `blobs` in a new file). A key of our own appears only
 * when it differs from its default, `local_folder` only with the backend `local`.
 */
export function formatNewConfig(values: ConfigValues, machine: Machine): string {
  const all: Record<string, ConfigValue> = { ...seedDefaults(machine), snapshot_format: "blobs", ...values };
  for (const key of OWN_KEYS) if (isOwnDefault(key, all)) delete all[key];
  return Object.keys(all)
    .sort(compareCodePoints)
    .map((key) => formatEntry(key, all[key] ?? null))
    .join("");
}

/** Whether a key of ours says nothing that its absence does not say. */
export function isOwnDefault(key: string, values: ConfigValues): boolean {
  const value = values[key];
  switch (key) {
    case "local_folder":
      return values["backend"] !== "local" || value === "" || value === undefined;
    case "onedrive_authority":
      return value === "common" || value === "" || value === undefined;
    case "auto_prune":
    case "auto_pull":
      return value !== true;
    case "keep_weekly":
      return value === 0 || value === undefined;
    default:
      return false;
  }
}

export interface EntryOptions {
  /** Column of the key. */
  readonly indent?: number;
  /** Column after which long text is folded; 80 when left out. */
  readonly width?: number;
}

/** The lines of one `key: value`, each ended by a line feed; a list's items stand under the first letter of the key. */
export function formatEntry(key: string, value: ConfigValue, options: EntryOptions = {}): string {
  const { indent = 0, width = 80 } = options;
  const margin = " ".repeat(indent);
  const scalar = (item: Exclude<ConfigValue, readonly string[]>, column: number) =>
    typeof item === "string" ? emitText(item, { column, indent: indent + 2, width }) : String(item);
  if (!isList(value)) return `${margin}${key}: ${scalar(value, indent + key.length + 1)}\n`;
  if (value.length === 0) return `${margin}${key}: []\n`;
  return `${margin}${key}:\n${value.map((item) => `${margin}- ${scalar(item, indent + 1)}\n`).join("")}`;
}

function isList(value: ConfigValue): value is readonly string[] {
  return Array.isArray(value);
}
