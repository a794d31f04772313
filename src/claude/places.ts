import { join } from "node:path";

/** Claude Code's own folder: `CLAUDE_CONFIG_DIR`, else `~/.claude`. `home` is absolute. */
export function claudeDir(env: Readonly<Record<string, string | undefined>>, home: string): string {
  return env["CLAUDE_CONFIG_DIR"] || join(home, ".claude");
}

/** The settings of this user. */
export function settingsFile(folder: string): string {
  return join(folder, "settings.json");
}

/** Where Claude Code looks for the skill that answers `/claude-mirror`. */
export function skillFile(folder: string): string {
  return join(folder, "skills", "claude-mirror", "SKILL.md");
}
