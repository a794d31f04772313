import { initLines } from "../../ui/render/init.ts";
import { command } from "../command.ts";
import { offerGitignore } from "../gitignore.ts";
import { INIT_OPTIONS, initJson, initRequest, saysNothing } from "../init-options.ts";

export const initCommand = command({
  name: "init",
  summary: "Set a project up, or change its settings",
  about: [
    "Without any flag, in a terminal, a wizard asks for every value; --wizard does so with the flags as its defaults.",
    "Writes the project's settings, named after its folder. On a project that is set up already it changes only what is given and keeps the rest, comments included.",
    "The backend follows from the flags: --local-folder for a folder that this machine can reach, --webdav-url for a WebDAV server, --drive-folder-id for Google Drive, --dropbox-app-key for Dropbox, --onedrive-client-id for OneDrive. A password goes to the token file, never to the settings; auth checks it.",
  ],
  options: {
    wizard: { kind: "flag", help: "Ask for each value, offering what is given or set." },
    ...INIT_OPTIONS,
  },
  examples: [
    "claude-mirror init --local-folder /mnt/backup/notes",
    "claude-mirror init --webdav-url https://cloud.example/remote.php/dav/files/me/notes --webdav-username me",
    "claude-mirror init --exclude 'archive/**'",
  ],
  async run(ctx, { options }) {
    const { wizard, ...given } = options;
    const request = await initRequest(ctx, given);
    if (wizard || (ctx.ask.possible && saysNothing(given))) {
      return (await import("../wizard.ts")).runWizard(ctx, request);
    }
    const { initProject } = await import("../../setup/init.ts");
    const result = await initProject(ctx, request);
    for (const hint of result.hints) ctx.note(`Hint: ${hint}`);
    if (!result.dryRun) (await import("../../app-watch.ts")).pokeWatcher(ctx);
    const added = result.gitignore !== null && (await offerGitignore(ctx, result.gitignore, result));
    return { result: initJson(result, added), lines: initLines(result, ctx.out.style) };
  },
});
