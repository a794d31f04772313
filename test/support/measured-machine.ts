import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempFolder } from "./temp.ts";

/** One run of the program, with what it cost. */
export interface MeasuredRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Wall clock, milliseconds. */
  readonly ms: number;
  /** Time of all its threads on a processor, the kernel's for it included, milliseconds. */
  readonly cpuMs: number;
  /** Highest resident memory, MB (10^6 bytes): VmHWM as the kernel last told it. */
  readonly peakMb: number;
}

/** A home folder with one project in it, and the program to run there. */
export interface MeasuredMachine {
  readonly home: string;
  readonly project: string;
  run(...words: string[]): Promise<MeasuredRun>;
}

export interface MachineOptions {
  readonly binary: string;
  /** YAML lines of the remote: `webdavYaml`, `localYaml`. */
  readonly remote: readonly string[];
  readonly patterns?: readonly string[];
  readonly secret?: { readonly username: string; readonly password: string };
  /** Where the home is made; a temporary folder when left out. */
  readonly home?: string;
}

export function webdavYaml(url: string, username: string): string[] {
  return ["backend: webdav", `webdav_url: ${url}`, `webdav_username: ${username}`, "webdav_insecure_http: true"];
}

export function localYaml(folder: string): string[] {
  return ["backend: local", `local_folder: ${folder}`];
}

/** Sets a project up by hand, so that nothing but the runs themselves is measured. */
export function measuredMachine(options: MachineOptions): MeasuredMachine {
  const home = options.home ?? tempFolder("machine");
  const project = join(home, "project");
  const config = join(home, ".config/claude_mirror");
  for (const folder of [project, config]) mkdirSync(folder, { recursive: true });
  const lines = [
    ...options.remote,
    `project_path: ${project}`,
    `file_patterns: ${JSON.stringify(options.patterns ?? ["**/*.md"])}`,
    "snapshot_format: blobs",
    "machine_name: bench",
    "user: me",
    `token_file: ${join(config, "token.json")}`,
  ];
  writeFileSync(join(config, "p.yaml"), `${lines.join("\n")}\n`);
  if (options.secret) writeFileSync(join(config, "token.json"), JSON.stringify(options.secret), { mode: 0o600 });
  return { home, project, run: (...words) => measure([options.binary, ...words], { cwd: project, home }) };
}

/** Runs a command in an environment of its home alone, reading its memory while it runs. */
export async function measure(
  command: readonly string[],
  { cwd, home, stdin }: { readonly cwd: string; readonly home: string; readonly stdin?: string },
): Promise<MeasuredRun> {
  const start = performance.now();
  const child = Bun.spawn([...command], {
    cwd,
    env: { HOME: home, TMPDIR: tempRoot() },
    stdin: stdin === undefined ? "ignore" : Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  let peakMb = 0;
  const timer = setInterval(() => {
    peakMb = Math.max(peakMb, residentPeak(child.pid));
  }, 10);
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const ms = performance.now() - start;
  clearInterval(timer);
  const cpuMs = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1000;
  return { code, stdout, stderr, ms, cpuMs, peakMb };
}

function tempRoot(): string {
  return process.env["TMPDIR"] ?? "/tmp";
}

function residentPeak(pid: number): number {
  try {
    const kib = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return (Number(kib ?? 0) * 1024) / 1e6;
  } catch {
    // It has just ended.
    return 0;
  }
}
