import { resolve } from "node:path";
import type { AuthRequest } from "../../setup/auth.ts";
import type { AuthResult } from "../../setup/model.ts";
import { authLines } from "../../ui/render/auth.ts";
import { CONFIG_OPTION, command, DRY_RUN_OPTION } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { givenPassword, PASSWORD_STDIN_OPTION } from "../password.ts";

export const authCommand = command({
  name: "auth",
  summary: "Sign in to the remote, or check that signing in works",
  about: [
    "Asks for the password where none is known, or, for Google Drive, Dropbox and OneDrive, gives an address to open in a browser. Then it makes the remote folder when it is missing and finds out how safely the server lets us write. What signs in is kept only after all that has worked; a failure leaves what was there.",
    "In scripts give a WebDAV password with --webdav-password-stdin or in CLAUDE_MIRROR_WEBDAV_PASSWORD.",
  ],
  options: {
    check: { kind: "flag", help: "Only check that what is stored works. Exit code 6 when it does not." },
    "webdav-password-stdin": PASSWORD_STDIN_OPTION,
    "dry-run": DRY_RUN_OPTION,
    config: CONFIG_OPTION,
  },
  examples: [
    "claude-mirror auth",
    "claude-mirror auth --check",
    "pass show nas | claude-mirror auth --webdav-password-stdin",
  ],
  async run(ctx, { options }) {
    const [{ checkSignIn, signIn }, { openConfig }] = await Promise.all([
      import("../../setup/auth.ts"),
      import("../../setup/config-file.ts"),
    ]);
    const given = options.config === undefined ? undefined : resolve(ctx.cwd, options.config);
    const config = openConfig(ctx, given);
    if (options.check) return answer(ctx, await checkSignIn(ctx, config));
    const password = await givenPassword(ctx, { stdin: options["webdav-password-stdin"] });
    const ask = (message: string) =>
      ctx.ask.password({ message, flag: "--webdav-password-stdin or CLAUDE_MIRROR_WEBDAV_PASSWORD" });
    const result = await signIn(ctx, config, {
      password: password?.text,
      talk: talkOf(ctx),
      ask: ctx.ask.possible ? ask : undefined,
      dryRun: options["dry-run"] ?? false,
    });
    return answer(ctx, result);
  },
});

/** Everything of it goes to stderr: it is no result. */
function talkOf(ctx: CommandContext): AuthRequest["talk"] {
  const question = (message: string) => ({ message, flag: "a terminal: run claude-mirror auth in one" });
  return {
    print: (line) => ctx.note(line),
    open: async (url) => (await import("../../setup/browser.ts")).openBrowser(url, ctx.env),
    ask: ctx.ask.possible ? (message, options) => ctx.ask.text({ ...question(message), ...options }) : undefined,
  };
}

function answer(ctx: CommandContext, result: AuthResult) {
  const { configFile, tokenFile, tokenWritten, mode, ...rest } = result;
  const json = {
    ...rest,
    config: configFile,
    token_file: tokenFile,
    token_written: tokenWritten,
    mode: mode.replace(" ", "-"),
  };
  return { result: json, lines: authLines(result, ctx.out.style) };
}
