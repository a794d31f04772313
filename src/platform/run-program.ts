import { spawn, spawnSync } from "node:child_process";

export interface RunOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Milliseconds after which the program is ended. */
  readonly mostWaitMs: number;
}

/**
 * Runs a system's own program without input. Never throws: answers undefined when it ended well, else one sentence about
 * what is in the way.
 */
export function runProgram(
  [program = "", ...words]: readonly string[],
  { env, mostWaitMs }: RunOptions,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    try {
      const child = spawn(program, words, { stdio: ["ignore", "ignore", "pipe"], timeout: mostWaitMs, env });
      let said = "";
      child.stderr.on("data", (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(0, 500);
      });
      child.on("error", (error: NodeJS.ErrnoException) =>
        resolve(error.code === "ENOENT" ? `${program} is not installed` : `${program} cannot be run: ${error.message}`),
      );
      child.on("close", (code) => resolve(code === 0 ? undefined : `${program} failed: ${said.trim() || "no answer"}`));
    } catch (error) {
      resolve(`${program} cannot be run: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
}

/** Gives the terminal to a shell until it ends. */
export function runShell(program: string, env: NodeJS.ProcessEnv): void {
  spawnSync(program, ["-i"], { stdio: "inherit", env });
}

/** Starts a program that nobody waits for and no terminal ends. What becomes of it, and whether it starts, is not told. */
export function startDetached(
  [program = "", ...words]: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): void {
  const child = spawn(program, words, { cwd, env, detached: true, stdio: "ignore", windowsHide: true });
  child.on("error", () => undefined);
  child.unref();
}
