import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { FakeOneDrive } from "../fakes/onedrive/server.ts";
import type { CliRun } from "./cli.ts";
import { endpointsOf, FOLDER } from "./onedrive-setup.ts";
import { type SetupLab, setupLab } from "./setup-lab.ts";

/** A project that is mirrored to the fake, and the command line there; nothing ever waits. */
export interface OneDriveLab extends SetupLab {
  /** Requests of one command that must succeed, `token` and the like left out. */
  requests(...words: string[]): Promise<number>;
  /** A command that must succeed. */
  ok(...words: string[]): Promise<CliRun>;
  write(path: string, content: string | Uint8Array): void;
}

export async function oneDriveLab(fake: FakeOneDrive): Promise<OneDriveLab> {
  const lab = setupLab();
  const env = endpointsOf(fake);
  const run: SetupLab["run"] = (words, options = {}) => lab.run(words, { ...options, env: { ...env, ...options.env } });
  const ok = async (...words: string[]) => {
    const ended = await run(words);
    if (ended.code !== 0) throw new Error(`${words.join(" ")} exits ${ended.code}: ${ended.stdout}${ended.stderr}`);
    return ended;
  };
  await ok("init", "--onedrive-client-id", fake.identity.clientId, "--onedrive-folder", FOLDER, "--patterns", "**/*");
  await ok("auth");
  return {
    ...lab,
    run,
    ok,
    async requests(...words) {
      fake.reset();
      await ok(...words);
      return fake.count();
    },
    write(path, content) {
      const file = join(lab.project, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
    },
  };
}
