import type { ProjectConfig } from "../settings/model.ts";
import type { AuthResult, InitRequest, InitResult } from "../setup/model.ts";
import { authLines } from "../ui/render/auth.ts";
import { initLines } from "../ui/render/init.ts";
import type { CommandContext } from "./context.ts";
import { initJson } from "./init-options.ts";
import { authJson, conversation } from "./sign-in.ts";

export interface SetUpOptions {
  /** The settings as they will be. */
  readonly config: ProjectConfig;
  /** False: the connection is tried as far as that goes without signing in. */
  readonly signIn: boolean;
  readonly connect: "try" | "skip";
  /** Whether the lines that `.gitignore` lacks are added. */
  readonly gitignore: boolean;
  /** Whether a remote folder that is missing is a failure. */
  readonly mustExist?: boolean;
}

export interface SetUp {
  readonly init: InitResult;
  readonly auth: AuthResult | undefined;
  readonly gitignored: boolean;
  /** Signed in, or nothing to sign in to. */
  readonly isReady: boolean;
}

/** Signs in or tries the connection, and when that works writes the settings. The caller undoes what a failure leaves. */
export async function setUp(ctx: CommandContext, request: InitRequest, options: SetUpOptions): Promise<SetUp> {
  const { config, signIn, connect, gitignore, mustExist = false } = options;
  const isLocal = config.backend === "local";
  const auth = connect === "skip" ? undefined : await connection(ctx, request, { config, signIn, mustExist });
  const kept = auth !== undefined && signIn;
  const [{ initProject }, { addToGitignore }, { pokeWatcher }, { backUp, backupName }] = await Promise.all([
    import("../setup/init.ts"),
    import("../setup/gitignore.ts"),
    import("../app-watch.ts"),
    import("../setup/undo.ts"),
  ]);
  const preview = await initProject(ctx, { ...request, dryRun: true });
  if (!preview.created && preview.changed.length > 0) {
    const copy = backupName(preview.configFile);
    backUp(preview.configFile, copy);
    ctx.note(`The settings as they were are in ${copy}.`);
  }
  const init = await initProject(ctx, { ...request, password: kept ? undefined : request.password });
  const gitignored = gitignore && init.gitignore !== null;
  if (gitignored) addToGitignore(init.gitignore);
  if (!request.dryRun) pokeWatcher(ctx);
  const next = kept || isLocal ? null : init.next;
  return { init: { ...init, next }, auth: kept && !isLocal ? auth : undefined, gitignored, isReady: kept || isLocal };
}

interface Connecting {
  readonly config: ProjectConfig;
  readonly signIn: boolean;
  readonly mustExist: boolean;
}

async function connection(
  ctx: CommandContext,
  request: InitRequest,
  { config, signIn, mustExist }: Connecting,
): Promise<AuthResult> {
  const { signIn: signInTo } = await import("../setup/auth.ts");
  const password = request.password?.text;
  const talking = { ...conversation(ctx), password, mustExist };
  const result = await signInTo(ctx, config, {
    ...talking,
    dryRun: !signIn || (config.backend === "local" && !mustExist),
  });
  if (config.backend === "webdav" && !signIn) ctx.note(`The connection to ${result.remote} works.`);
  return result;
}

export function setUpLines({ out: { style } }: CommandContext, { init, auth }: SetUp): string[] {
  return [...initLines(init, style), ...(auth === undefined ? [] : authLines(auth, style))];
}

export function setUpJson({ init, auth, gitignored }: SetUp): object {
  return { ...initJson(init, gitignored), auth: auth === undefined ? null : authJson(auth) };
}
