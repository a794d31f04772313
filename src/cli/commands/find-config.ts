import { resolve } from "node:path";
import { configDir } from "../../lib/dirs.ts";
import { MissingError, UsageError } from "../../lib/errors.ts";
import { findProject, knownProjects } from "../../settings/discovery.ts";
import { indexFile } from "../../settings/index-fast.ts";
import { printable } from "../../ui/terminal.ts";
import { command } from "../command.ts";

/** `find-config [PATH]`. `main.ts` answers it without this file while the index of projects is up to date. */
export const findConfigCommand = command({
  name: "find-config",
  summary: "Print the config file of the project that a folder belongs to",
  about: ["Looks from the folder upwards; the nearest project counts. Exit code 1 when there is none."],
  positionals: [
    { name: "PATH", help: "A folder or file; the current folder when left out.", optional: true, completes: "file" },
  ],
  options: {},
  examples: ["claude-mirror find-config", "claude-mirror find-config ~/projects/proj-a"],
  async run({ env, home, cwd, note }, { positionals: [given = "."] }) {
    const path = resolve(cwd, given);
    const places = { configDir: configDir(env, home), home, indexFile: indexFile(env, home) };
    const found = findProject(path, places);
    for (const { message } of knownProjects(places).problems) note(printable(message));
    switch (found.kind) {
      case "found":
        return { result: { config: found.file, project_path: found.path }, lines: [found.file] };
      case "ambiguous":
        throw new UsageError(`"${path}" belongs to more than one config: ${found.files.join(", ")}`, {
          hint: "Choose with --config, or make one the mirror of the other (mirror_config_paths).",
        });
      case "none":
        throw new MissingError(`no project holds "${path}"`, { hint: knownText(found.projects) });
    }
  },
});

function knownText(projects: readonly { readonly path: string; readonly file: string }[]): string {
  if (projects.length === 0) return "No project is set up yet: run claude-mirror init in one.";
  return ["Known projects:", ...projects.map(({ path, file }) => `  ${printable(path)}  (${file})`)].join("\n");
}
