// Builds the executable: `bun scripts/build.ts [--all [--releases=URL] | --faults]`, see docs/install.md.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { signatureTrouble, signMachO } from "./mach-o.ts";

const ROOT = join(import.meta.dir, "..");
const ENTRY = join(ROOT, "src/main.ts");

/** Names of ours and what Bun calls the same; Bun fetches the foreign ones from the npm registry (`@oven/bun-*`). */
const TARGETS = {
  "linux-x64": "bun-linux-x64",
  "linux-arm64": "bun-linux-arm64",
  "linux-x64-musl": "bun-linux-x64-musl",
  "linux-arm64-musl": "bun-linux-arm64-musl",
  "macos-x64": "bun-darwin-x64",
  "macos-arm64": "bun-darwin-arm64",
  "windows-x64": "bun-windows-x64",
} as const satisfies Record<string, Bun.Build.CompileTarget>;

export interface BuildOptions {
  readonly outfile: string;
  /** This machine when left out. */
  readonly target?: Bun.Build.CompileTarget;
  /** Compiles the fault points of `src/lib/fault.ts` in; for crash tests only. */
  readonly faults?: boolean;
  /** Where `update` looks for newer ones; nowhere when left out. */
  readonly releases?: string;
  /** What it says of itself; the version of package.json when left out. */
  readonly version?: string;
}

/**
 * Google's client brings its messages along twice: as JSON, which it reads, and as 700 KB of code that only who writes
 * requests by hand would call, and on which Bun 1.4.5 dies when it makes bytecode.
 */
const WITHOUT_UNUSED_CODE: Bun.BunPlugin = {
  name: "without unused code",
  setup(build) {
    const unused = { contents: "module.exports = {};", loader: "js" } as const;
    build.onLoad({ filter: /@google-cloud[\\/]pubsub(-api)?[\\/]build[\\/]protos[\\/]protos\.js$/ }, () => unused);
  },
};

/** Builds one executable at `outfile` and answers its size in bytes. Throws with the compiler's words when it cannot. */
export async function buildBinary({ outfile, target, ...options }: BuildOptions): Promise<number> {
  const result = await Bun.build({
    entrypoints: [ENTRY],
    target: "bun",
    format: "esm",
    splitting: true,
    minify: true,
    bytecode: true,
    plugins: [WITHOUT_UNUSED_CODE],
    define: definitions({ target, ...options }),
    compile: {
      outfile,
      ...(target === undefined ? {} : { target }),
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  });
  if (!result.success) throw new AggregateError(result.logs, `cannot build "${outfile}"`);
  if (target?.startsWith("bun-darwin")) signForMac(outfile);
  return statSync(outfile).size;
}

/** Bun 1.4.5 leaves the signature of its own runtime in a program for Intel, and macOS ends what is not as signed. */
function signForMac(outfile: string): void {
  const program = readFileSync(outfile);
  if (signatureTrouble(program) !== undefined) writeFileSync(outfile, signMachO(program, "claude-mirror"));
  const trouble = signatureTrouble(readFileSync(outfile));
  if (trouble !== undefined) throw new Error(`cannot sign "${outfile}": ${trouble}`);
}

export interface EntryChunk {
  /** Bytes of the entry chunk and of every chunk that it imports statically. */
  readonly bytes: number;
  /** Source files in these chunks. */
  readonly modules: readonly string[];
}

/** What the executable reads before any work starts. */
export async function buildEntryChunk(): Promise<EntryChunk> {
  const { metafile } = await Bun.build({
    entrypoints: [ENTRY],
    target: "bun",
    format: "esm",
    splitting: true,
    minify: true,
    plugins: [WITHOUT_UNUSED_CODE],
    define: definitions({}),
    metafile: true,
  });
  const outputs = new Map(Object.entries(metafile?.outputs ?? {}));
  const entry = [...outputs].find(([, output]) => output.entryPoint?.endsWith("src/main.ts"));
  if (!entry) throw new Error(`cannot build "${ENTRY}": the metafile names no entry chunk`);
  const read = new Set([entry[0]]);
  const modules: string[] = [];
  let bytes = 0;
  for (const path of read) {
    const output = outputs.get(path);
    if (!output) throw new Error(`cannot build "${ENTRY}": the metafile lacks the chunk "${path}"`);
    bytes += output.bytes;
    modules.push(...Object.keys(output.inputs));
    for (const { path: imported, kind } of output.imports) {
      if (kind === "import-statement" && outputs.has(imported)) read.add(imported);
    }
  }
  return { bytes, modules };
}

function definitions({
  faults,
  target,
  releases,
  version = packageVersion(),
}: { readonly [K in keyof BuildOptions]?: BuildOptions[K] | undefined }): Record<string, string> {
  return {
    VERSION: JSON.stringify(version),
    COMMIT: JSON.stringify(commit()),
    FAULTS: String(faults === true),
    TARGET: JSON.stringify(targetName(target)),
    RELEASES: JSON.stringify(releases ?? ""),
    // Packages ask where they lie for what this program never reads; the answer would be a folder of the building machine.
    __dirname: '"/"',
  };
}

function packageVersion(): string {
  return (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { readonly version: string }).version;
}

/** Our name of a target; of this machine when left out. */
function targetName(target: BuildOptions["target"]): string {
  const found = Object.entries(TARGETS).find(([, bun]) => bun === target)?.[0];
  if (found !== undefined) return found;
  const system = { darwin: "macos", win32: "windows" }[process.platform as string] ?? process.platform;
  const musl = system === "linux" && existsSync(`/lib/ld-musl-${process.arch === "x64" ? "x86_64" : "aarch64"}.so.1`);
  return `${system}-${process.arch}${musl ? "-musl" : ""}`;
}

/** Short id of the commit that is built, `""` outside a clone. */
function commit(): string {
  const git = spawnSync("git", ["-C", ROOT, "rev-parse", "--short=7", "HEAD"], { encoding: "utf8" });
  return git.status === 0 ? git.stdout.trim() : "";
}

/** Every target, then `SHA256SUMS` in the format of sha256sum(1). A target that cannot be made is named and fails the build. */
async function buildAll(folder: string, releases: string): Promise<void> {
  const installer = readFileSync(join(ROOT, "install.sh"), "utf8");
  writeFileSync(join(folder, "install.sh"), withReleases(installer, releases), { mode: 0o755 });
  rmSync(join(folder, "SHA256SUMS"), { force: true });
  const sums: string[] = [];
  const missing: string[] = [];
  for (const [name, target] of Object.entries(TARGETS)) {
    const outfile = join(folder, `claude-mirror-${name}${name.startsWith("windows") ? ".exe" : ""}`);
    try {
      report(outfile, await buildBinary({ outfile, target, releases }));
      sums.push(sumLine(outfile));
    } catch (error) {
      missing.push(name);
      console.error(`cannot build ${name}: ${reasonOf(error)}`);
    }
  }
  copyFileSync(join(ROOT, "docs/claude-mirror.1"), join(folder, "claude-mirror.1"));
  sums.push(sumLine(join(folder, "claude-mirror.1")));
  writeFileSync(join(folder, "SHA256SUMS"), sums.join(""));
  writeFileSync(join(folder, "VERSION"), `${packageVersion()}\n`);
  console.log(join(folder, "SHA256SUMS"));
  if (missing.length > 0) throw new Error(`cannot build ${missing.join(", ")}: see above`);
}

function sumLine(file: string): string {
  return `${createHash("sha256").update(readFileSync(file)).digest("hex")}  ${basename(file)}\n`;
}

/** `install.sh` as it goes out with a release: it knows where the releases are. */
export function withReleases(installer: string, releases: string): string {
  if (!/^[\w:/.~-]*$/.test(releases))
    throw new Error(`cannot use the address "${releases}": it has letters that a shell would read`);
  const stamped = installer.replace(/^RELEASES=$/m, `RELEASES=${releases}`);
  if (stamped === installer && releases !== "")
    throw new Error('cannot fill in "install.sh": it has no line RELEASES=');
  return stamped;
}

function report(outfile: string, bytes: number): void {
  console.log(`Built ${outfile} (${(bytes / 1024 / 1024).toFixed(1)} MB)`);
}

/** The bundler's own words are in `errors`. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return [error.message, ...error.errors.map(String)].join("\n  ");
  return error instanceof Error ? error.message : String(error);
}

async function main(words: readonly string[]): Promise<void> {
  const releases = words.find((word) => word.startsWith("--releases="))?.slice("--releases=".length) ?? "";
  const unknown = words.find((word) => word !== "--all" && word !== "--faults" && !word.startsWith("--releases="));
  if (unknown !== undefined) throw new Error(`unknown option "${unknown}": use --all, --releases=URL or --faults`);
  const folder = join(ROOT, "dist");
  mkdirSync(folder, { recursive: true });
  if (words.includes("--all")) return buildAll(folder, releases);
  const faults = words.includes("--faults");
  const suffix = process.platform === "win32" ? ".exe" : "";
  const outfile = join(folder, `claude-mirror${faults ? "-faults" : ""}${suffix}`);
  report(outfile, await buildBinary({ outfile, faults }));
}

if (import.meta.main) {
  try {
    await main(process.argv.slice(2));
  } catch (error) {
    console.error(reasonOf(error));
    process.exitCode = 1;
  }
}
