import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { CliOptions, CliRun } from "./cli.ts";
import { type SetupLab, setupLab } from "./setup-lab.ts";

/** A machine with a project on a cloud that is served in this process, as the commands run here. */
export interface CloudLab extends SetupLab {
  /** A command that must succeed. */
  ok(...words: string[]): Promise<CliRun>;
  /** Runs a command that must succeed and counts the requests that it took, those for tokens left out. */
  requests(words: readonly string[]): Promise<number>;
  write(path: string, content: string | Uint8Array): void;
}

export interface CloudLabOptions {
  /** What leads the program to the service. */
  readonly env: Readonly<Record<string, string>>;
  readonly counter: { readonly reset: () => void; readonly count: () => number };
  /** While requests are counted. */
  readonly counting?: CliOptions;
}

export function cloudLab({ env, counter, counting = {} }: CloudLabOptions): CloudLab {
  const lab = setupLab();
  const run: CloudLab["run"] = (words, more = {}) => lab.run(words, { ...more, env: { ...env, ...more.env } });
  const well = async (words: readonly string[], more?: CliOptions): Promise<CliRun> => {
    const ended = await run(words, more);
    if (ended.code === 0) return ended;
    throw new Error(`${words.join(" ")} exits ${ended.code}: ${ended.stdout}${ended.stderr}`);
  };
  return {
    ...lab,
    run,
    ok: (...words) => well(words),
    async json(words, more) {
      const { stdout } = await well([...words, "--json"], more);
      return (JSON.parse(stdout) as { result: Record<string, unknown> }).result;
    },
    async requests(words) {
      counter.reset();
      await well(words, counting);
      return counter.count();
    },
    write(path, content) {
      const file = join(lab.project, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    },
  };
}
