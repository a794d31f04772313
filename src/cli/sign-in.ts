import type { AuthRequest } from "../setup/auth.ts";
import type { AuthResult } from "../setup/model.ts";
import type { CommandContext } from "./context.ts";

/** How signing in talks with the person. Everything of it goes to stderr: it is no result. */
export function conversation(ctx: CommandContext): Pick<AuthRequest, "talk" | "ask"> {
  const question = (message: string) => ({ message, flag: "a terminal: run claude-mirror auth in one" });
  const ask = (message: string) =>
    ctx.ask.password({ message, flag: "--webdav-password-stdin or CLAUDE_MIRROR_WEBDAV_PASSWORD" });
  return {
    ask: ctx.ask.possible ? ask : undefined,
    talk: {
      print: (line) => ctx.note(line),
      open: async (url) => (await import("../setup/browser.ts")).openBrowser(url, ctx.env),
      ask: ctx.ask.possible ? (message, options) => ctx.ask.text({ ...question(message), ...options }) : undefined,
    },
  };
}

export function authJson({ configFile, tokenFile, tokenWritten, mode, ...rest }: AuthResult): object {
  return {
    ...rest,
    config: configFile,
    token_file: tokenFile,
    token_written: tokenWritten,
    mode: mode.replace(" ", "-"),
  };
}
