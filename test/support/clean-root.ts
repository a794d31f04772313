import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { type Pty, startInPty } from "./pty.ts";
import { tempFolder } from "./temp.ts";

/** A machine with nothing on it but busybox (and the C library that the compiled program needs), and one empty home. */
export interface CleanRoot {
  /** The home folder as seen from here. */
  readonly home: string;
  /** Runs a script with busybox sh there; standard input is empty. */
  sh(script: string, env?: Readonly<Record<string, string>>): Promise<{ readonly code: number; readonly said: string }>;
  /** Runs a script there at a terminal of 80 columns. */
  terminal(script: string, env?: Readonly<Record<string, string>>): Pty;
  /** Puts a file at an absolute path of that machine. */
  put(path: string, content: string, mode?: number): void;
  remove(): void;
}

/** A root file system of its own where this account may mount and change the root, else the same tools by PATH alone. */
export function cleanRoot(program: string): CleanRoot {
  const root = tempFolder("root");
  for (const folder of ["bin", "proc", "dev", "tmp", "home/ada"]) mkdirSync(join(root, folder), { recursive: true });
  const busybox = run(["sh", "-c", "command -v busybox"]).said.trim();
  copyFileSync(realpathSync(busybox), join(root, "bin/busybox"));
  chmodSync(join(root, "bin/busybox"), 0o755);
  for (const file of librariesOf([busybox, program])) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    copyFileSync(file, join(root, file));
  }
  for (const applet of run([busybox, "--list"]).said.trim().split("\n"))
    if (applet !== "busybox" && !existsSync(join(root, "bin", applet)))
      symlinkSync("busybox", join(root, "bin", applet));
  run(["mknod", "-m", "666", join(root, "dev/null"), "c", "1", "3"]);
  const own = run(["mount", "-t", "proc", "proc", join(root, "proc")]).code === 0;
  const enter = own
    ? [Bun.which("chroot", { PATH: "/usr/sbin:/sbin:/usr/bin:/bin" }) ?? "chroot", root, "/bin/sh"]
    : [join(root, "bin/busybox"), "sh"];
  const home = own ? "/home/ada" : join(root, "home/ada");
  const base = { HOME: home, PATH: own ? "/bin" : join(root, "bin"), SHELL: "/bin/sh" };
  return {
    home: join(root, "home/ada"),
    async sh(script, env = {}) {
      const child = Bun.spawn([...enter, "-c", `cd "$HOME" && exec 2>&1\n${script}`], {
        env: { ...base, ...env },
        stdin: "ignore",
        stdout: "pipe",
      });
      const said = await new Response(child.stdout).text();
      return { code: await child.exited, said };
    },
    terminal: (script, env = {}) =>
      startInPty([...enter, "-c", `cd "$HOME"\n${script}`], { env: { ...base, TERM: "xterm", ...env }, cwd: "/" }),
    put(path, content, mode = 0o644) {
      const file = join(root, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content, { mode });
    },
    remove: () => void (own && run(["umount", join(root, "proc")])),
  };
}

function run(words: readonly string[]): { readonly code: number; readonly said: string } {
  const { exitCode, stdout } = Bun.spawnSync([...words], { stdout: "pipe", stderr: "pipe" });
  return { code: exitCode, said: stdout.toString() };
}

/** The loader and the libraries that programs are linked with. */
function librariesOf(programs: readonly string[]): ReadonlySet<string> {
  const said = programs.map((program) => run(["ldd", program]).said).join("\n");
  const found = [...said.matchAll(/(?:=> )?(\/[^\s]+) \(0x/g)].map(([, file = ""]) => file);
  return new Set(found.filter((file) => readFileSync(file).length > 0));
}
