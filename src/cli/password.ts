import { UsageError } from "../lib/errors.ts";
import type { GivenPassword } from "../setup/model.ts";
import type { Option } from "./command.ts";
import type { CommandContext } from "./context.ts";

/** The environment variable that holds a WebDAV password for scripts. */
const PASSWORD_VARIABLE = "CLAUDE_MIRROR_WEBDAV_PASSWORD";

export const PASSWORD_STDIN_OPTION = {
  kind: "flag",
  help: "Read the password from standard input.",
} as const satisfies Option;

export interface PasswordOptions {
  /** `--webdav-password`, which others can see. */
  readonly plain?: string | undefined;
  readonly stdin: boolean | undefined;
}

/** The password as it was given, by option or environment; undefined when it was not. */
export async function givenPassword(ctx: CommandContext, options: PasswordOptions): Promise<GivenPassword | undefined> {
  const { plain, stdin } = options;
  if (plain !== undefined && stdin) {
    throw new UsageError("--webdav-password and --webdav-password-stdin do not go together");
  }
  if (plain !== undefined) {
    ctx.note(
      `--webdav-password can be seen in the list of processes and in the shell's history; --webdav-password-stdin and ${PASSWORD_VARIABLE} cannot.`,
    );
    return { text: notEmpty(plain, "--webdav-password"), from: "option" };
  }
  if (stdin) {
    const text = (await ctx.stdin.text()).replace(/\r?\n$/, "");
    return { text: notEmpty(text, "--webdav-password-stdin"), from: "option" };
  }
  const text = ctx.env[PASSWORD_VARIABLE];
  return text ? { text, from: "environment" } : undefined;
}

function notEmpty(text: string, option: string): string {
  if (text !== "") return text;
  throw new UsageError(`${option}: the password is empty`);
}
