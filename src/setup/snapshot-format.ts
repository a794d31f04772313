import { faultPoint } from "../lib/fault.ts";
import { editConfig, saveConfig } from "../settings/editor.ts";
import { readText } from "../settings/load-text.ts";

/** Sets `snapshot_format` in a config, every other byte kept. False when it says so already. Throws SettingsError. */
export function setSnapshotFormat(file: string, format: "blobs" | "full"): boolean {
  const text = readText(file);
  const edited = editConfig(text, { snapshot_format: format }, { file });
  if (edited === text) return false;
  faultPoint("migrate-settings");
  saveConfig(file, edited);
  return true;
}
