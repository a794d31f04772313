import { runProgram } from "./run-program.ts";

/** One message in the corner of the screen. */
export interface DesktopMessage {
  readonly title: string;
  readonly message: string;
  /** A failure that needs somebody: shown as such where the system can. */
  readonly urgent?: boolean;
}

export interface DesktopOptions {
  readonly platform: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const MOST_WAIT_MS = 5_000;
/** Longer ones are cut: notification daemons refuse or hang on very long ones. */
const MOST_CHARACTERS = 1_000;

/**
 * Shows a message through the system's own program. Never throws and never waits longer than 5 s: answers undefined
 * when the program took it, else one sentence about what is in the way.
 */
export async function showOnDesktop(message: DesktopMessage, options: DesktopOptions): Promise<string | undefined> {
  const words = desktopCommand(message, options.platform);
  return runProgram(words, { env: environmentOf(message, options), mostWaitMs: MOST_WAIT_MS });
}

/** The program and its words. Texts never become part of a script: they travel as arguments or in the environment. */
export function desktopCommand({ title, message, urgent }: DesktopMessage, platform: string): readonly string[] {
  switch (platform) {
    case "darwin":
      return ["osascript", "-e", MAC_SCRIPT, plain(message), plain(title)];
    case "win32":
      return ["powershell.exe", "-NoProfile", "-NonInteractive", "-Command", WINDOWS_SCRIPT];
    default: {
      const look = urgent ? ["--icon=dialog-warning", "--urgency=critical"] : ["--icon=dialog-information"];
      return ["notify-send", ...look, "--", plain(title), withoutMarkup(plain(message))];
    }
  }
}

const MAC_SCRIPT =
  'on run argv\ndisplay notification (item 1 of argv) with title (item 2 of argv) sound name "Ping"\nend run';

const WINDOWS_SCRIPT = [
  "Add-Type -AssemblyName System.Windows.Forms",
  "$n = New-Object System.Windows.Forms.NotifyIcon",
  "$n.Icon = [System.Drawing.SystemIcons]::Information",
  "$n.Visible = $true",
  "$n.ShowBalloonTip(5000, $env:CLAUDE_MIRROR_TITLE, $env:CLAUDE_MIRROR_MESSAGE, 'Info')",
  "Start-Sleep -Milliseconds 3000",
  "$n.Dispose()",
].join("; ");

function environmentOf({ title, message }: DesktopMessage, { platform, env }: DesktopOptions): NodeJS.ProcessEnv {
  if (platform !== "win32") return { ...env };
  return { ...env, CLAUDE_MIRROR_TITLE: plain(title), CLAUDE_MIRROR_MESSAGE: plain(message) };
}

/** Other people's words: control and direction characters are dropped. */
function plain(text: string): string {
  return text.replace(UNSHOWABLE, "").slice(0, MOST_CHARACTERS);
}

/** Bodies may hold markup (freedesktop.org Desktop Notifications 1.2, "Markup"). */
function withoutMarkup(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const UNSHOWABLE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
