import { basename, join } from "node:path";

export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;
export type Shell = (typeof SHELLS)[number];

export interface ShellPlaces {
  readonly platform: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly home: string;
}

/** The person's shell; undefined for one that this program knows nothing of. */
export function loginShell({ platform, env }: ShellPlaces): Shell | undefined {
  if (platform === "win32") return "powershell";
  const name = basename(env["SHELL"] ?? "");
  return name === "pwsh" ? "powershell" : SHELLS.find((shell) => shell === name);
}

/** The file that this shell reads when it starts; for fish, whose files are whole, see {@link fishFile}. */
export function startFile(shell: Exclude<Shell, "fish"> | undefined, { platform, env, home }: ShellPlaces): string {
  switch (shell) {
    case "bash":
      return join(home, platform === "darwin" ? ".bash_profile" : ".bashrc");
    case "zsh":
      return join(env["ZDOTDIR"] || home, ".zshrc");
    case "powershell": {
      const folder = platform === "win32" ? "Documents/PowerShell" : ".config/powershell";
      return join(home, folder, "Microsoft.PowerShell_profile.ps1");
    }
    default:
      return join(home, ".profile");
  }
}

/** fish reads every file of these two folders by itself. */
export function fishFile(folder: "completions" | "conf.d", { env, home }: ShellPlaces): string {
  return join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "fish", folder, "claude-mirror.fish");
}

/** The line that has a shell complete this program's words; it does nothing once the program is gone. */
export function completionLine(shell: Shell): string {
  switch (shell) {
    case "bash":
    case "zsh":
      return `command -v claude-mirror >/dev/null 2>&1 && eval "$(claude-mirror completion ${shell})"`;
    case "fish":
      return "command -q claude-mirror; and claude-mirror completion fish | source";
    case "powershell":
      return "if (Get-Command claude-mirror -ErrorAction SilentlyContinue) { claude-mirror completion powershell | Out-String | Invoke-Expression }";
  }
}

/** The line that puts `folder` first on the PATH, unless it is on it. */
export function pathLine(shell: Shell | undefined, folder: string): string {
  switch (shell) {
    case "fish":
      return `contains -- ${fishWord(folder)} $PATH; or set -gx PATH ${fishWord(folder)} $PATH`;
    case "powershell":
      return `$env:PATH = '${folder.replaceAll("'", "''")}' + [IO.Path]::PathSeparator + $env:PATH`;
    default:
      return `case ":$PATH:" in *:${shellWord(folder)}:*) ;; *) PATH=${shellWord(folder)}:"$PATH"; export PATH ;; esac`;
  }
}

/** One word for sh, bash and zsh. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function fishWord(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

/** What stands around lines of ours in somebody's file; no line of the file may be one of these by chance. */
export interface Markers {
  readonly begin: string;
  readonly end: string;
}

/** The Python tool's own (reference 1.20): its block is replaced by ours. */
export const COMPLETION_MARKERS: Markers = {
  begin: "# >>> claude-mirror tab-completion (added by claude-mirror-install) >>>",
  end: "# <<< claude-mirror tab-completion <<<",
};

export const PATH_MARKERS: Markers = {
  begin: "# >>> claude-mirror path (added by claude-mirror-install) >>>",
  end: "# <<< claude-mirror path <<<",
};

/** A text after an edit, and whether lines of another version stood between the markers. */
export interface BlockEdit {
  readonly text: string;
  readonly replaced: boolean;
}

/**
 * The text with `line` between the markers exactly once: where a block was, else at the end. No other byte changes, but
 * for the line end that the last line may lack. Throws when a marker has lost its other half.
 */
export function addBlock(text: string, markers: Markers, line: string): BlockEdit {
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const block = [markers.begin, line, markers.end, ""].join(newline);
  const [first, ...more] = blocksOf(text, markers);
  if (first) {
    const rest = more.reduceRight((cut, { start, end }) => cut.slice(0, start) + cut.slice(end), text);
    const changed = rest.slice(0, first.start) + block + rest.slice(first.end);
    return { text: changed, replaced: changed !== text };
  }
  const gap = text === "" || text.endsWith("\n") ? "" : newline;
  return { text: text + gap + block, replaced: false };
}

/** The text without the block; every other byte stays. */
export function dropBlock(text: string, markers: Markers): string {
  return blocksOf(text, markers).reduceRight((rest, { start, end }) => rest.slice(0, start) + rest.slice(end), text);
}

interface Block {
  readonly start: number;
  readonly end: number;
}

function blocksOf(text: string, { begin, end }: Markers): readonly Block[] {
  const blocks: Block[] = [];
  let open: number | undefined;
  let at = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const word = line.trim();
    if ((word === begin && open !== undefined) || (word === end && open === undefined))
      throw new Error(`the line "${word}" has lost its other half: remove what is left of the block first`);
    if (word === begin) open = at;
    at += line.length;
    if (word === end && open !== undefined) {
      blocks.push({ start: open, end: at });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`the line "${begin}" has lost its other half: remove it first`);
  return blocks;
}
