import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { completionScript } from "../../src/cli/completion.ts";
import { compiledBinary } from "../support/binary.ts";
import { tempFolder } from "../support/temp.ts";

const home = tempFolder("completion");
let env: Record<string, string>;

beforeAll(async () => {
  const binary = await compiledBinary();
  env = { HOME: home, PATH: `${dirname(binary)}:/usr/bin:/bin`, TERM: "dumb" };
  const configs = join(home, ".config/claude_mirror");
  mkdirSync(configs, { recursive: true });
  writeFileSync(join(configs, "alpha.yaml"), "project_path: /nowhere\n");
  mkdirSync(join(home, "here/folder"), { recursive: true });
  writeFileSync(join(home, "here/file with space.md"), "x");
});

function run(words: readonly string[]): string {
  const ended = Bun.spawnSync([...words], { env, cwd: join(home, "here"), stdout: "pipe", stderr: "pipe" });
  expect(ended.stderr.toString()).toBe("");
  return ended.stdout.toString();
}

describe("completion bash", () => {
  /** What bash would offer for these words, the last one being typed. */
  function offered(...words: string[]): string[] {
    const line = ["claude-mirror", ...words].map((word) => `'${word}'`).join(" ");
    const script = `eval "$(claude-mirror completion bash)"
COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _claude_mirror 2>/dev/null
for one in "\${COMPREPLY[@]}"; do printf '%s\\n' "$one"; done; complete -p claude-mirror >/dev/null || exit 9`;
    return run(["bash", "--norc", "-c", script]).split("\n").filter(Boolean);
  }

  test("completion bash: commands, shells, options, config files", () => {
    expect(offered("comp")).toEqual(["completion"]);
    expect(offered("completion", "")).toEqual(["bash", "zsh", "fish", "powershell"]);
    expect(offered("completion", "--h")).toEqual(["--help"]);
    expect(offered("status", "--config", "")).toEqual([join(home, ".config/claude_mirror/alpha.yaml")]);
  });

  test("completion bash: files, names with spaces whole", () => {
    expect(offered("push", "fi")).toEqual(["file with space.md"]);
    expect(offered("pull", "--output", "fo")).toEqual(["folder"]);
  });
});

describe("completion zsh", () => {
  /** Runs the function with zsh's own drawing functions replaced by ones that print. */
  function offered(...words: string[]): string[] {
    const line = ["claude-mirror", ...words].map((word) => `'${word}'`).join(" ");
    const script = `compdef() { print -r -- "compdef $*" >&3 }
eval "$(claude-mirror completion zsh)" 3>/dev/null
compset() { : }; _files() { print -r -- "files $*" }; _describe() { print -rl -- "\${(@P)argv[-1]}" }
words=(${line}); CURRENT=${words.length + 1}; _claude_mirror`;
    return run(["zsh", "-f", "-c", script]).split("\n").filter(Boolean);
  }

  test("completion zsh: commands with their descriptions, shells, options, files", () => {
    expect(offered("comp")).toEqual(["completion:Print the completion script for a shell"]);
    expect(offered("completion", "")).toEqual(["bash", "zsh", "fish", "powershell"]);
    expect(offered("completion", "--h")).toEqual(["--help:Show this command's options."]);
    expect(offered("push", "fi")).toEqual(["files "]);
    expect(offered("pull", "--output", "")).toEqual(["files -/"]);
  });

  test("completion zsh: registers itself with the completion system of a fresh shell", () => {
    const script = `eval "$(claude-mirror completion zsh)"; print -r -- $_comps[claude-mirror]`;
    expect(run(["zsh", "-f", "-c", script])).toBe("_claude_mirror\n");
  });
});

describe("completion fish", () => {
  function offered(line: string): string[] {
    const script = `claude-mirror completion fish | source; complete -C '${line}'`;
    return run(["fish", "--no-config", "-c", script]).split("\n").filter(Boolean);
  }

  test("completion fish: commands with their descriptions, shells, options, config files", () => {
    expect(offered("claude-mirror comp")).toEqual(["completion\tPrint the completion script for a shell"]);
    expect(offered("claude-mirror completion ")).toEqual(["bash", "fish", "powershell", "zsh"]);
    expect(offered("claude-mirror completion --h")).toEqual(["--help\tShow this command's options."]);
    expect(offered("claude-mirror status --config /")[0]).toStartWith("/");
  });

  test("completion fish: files and folders", () => {
    expect(offered("claude-mirror push fi").map((line) => line.split("\t")[0])).toEqual(["file with space.md"]);
    expect(offered("claude-mirror pull --output fo").map((line) => line.split("\t")[0])).toEqual(["folder/"]);
  });
});

describe("completionScript", () => {
  test("completionScript: shellcheck finds nothing in the bash script", () => {
    const file = join(home, "completion.bash");
    writeFileSync(file, completionScript("bash"));
    const checked = Bun.spawnSync(["shellcheck", "--shell=bash", file], { stdout: "pipe", stderr: "pipe" });
    expect(checked.stdout.toString() + checked.stderr.toString()).toBe("");
    expect(checked.exitCode).toBe(0);
  });
});
