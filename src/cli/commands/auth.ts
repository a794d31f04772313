import { resolve } from "node:path";
import type { AuthResult } from "../../setup/model.ts";
import { authLines } from "../../ui/render/auth.ts";
import { CONFIG_OPTIONS, command, DRY_RUN_OPTION } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { givenPassword, PASSWORD_STDIN_OPTION } from "../password.ts";
import { authJson, conversation } from "../sign-in.ts";

export const authCommand = command({
  name: "auth",
  summary: "Sign in to the remote, or check that signing in works",
  about: [
    "Asks for the password where none is known, or, for Google Drive, Dropbox and OneDrive, gives an address to open in a browser. Then it makes the remote folder when it is missing and finds out how safely the server lets us write. What signs in is kept only after all that has worked; a failure leaves what was there.",
    "For Google Drive with a Pub/Sub topic it also makes what is missing of the topic and of this machine's subscription, and says which right is missing.",
    "In scripts give a WebDAV password with --webdav-password-stdin or in CLAUDE_MIRROR_WEBDAV_PASSWORD.",
  ],
  options: {
    check: { kind: "flag", help: "Only check that what is stored works. Exit code 6 when it does not." },
    "webdav-password-stdin": PASSWORD_STDIN_OPTION,
    "dry-run": DRY_RUN_OPTION,
    ...CONFIG_OPTIONS,
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
    const result = await signIn(ctx, config, {
      ...conversation(ctx),
      password: password?.text,
      dryRun: options["dry-run"] ?? false,
    });
    return answer(ctx, result);
  },
});

function answer(ctx: CommandContext, result: AuthResult) {
  return { result: authJson(result), lines: authLines(result, ctx.out.style) };
}
