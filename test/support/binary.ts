import { join } from "node:path";
import { buildBinary } from "../../scripts/build.ts";
import { tempFolder } from "./temp.ts";

let built: Promise<string> | undefined;

/** Path of the compiled program, built once for all tests of this process from the sources as they are. */
export function compiledBinary(): Promise<string> {
  built ??= build();
  return built;
}

async function build(): Promise<string> {
  const outfile = join(tempFolder("binary"), "claude-mirror");
  await buildBinary({ outfile });
  return outfile;
}
