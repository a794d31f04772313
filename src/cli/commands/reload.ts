import { command } from "../command.ts";

export const reloadCommand = command({
  name: "reload",
  summary: "Make a running watch-all look for new and changed projects at once",
  about: ["Exit code 1 when none runs on this machine."],
  options: {},
  async run(ctx) {
    const { reloadWatcher } = await import("../../app-watch.ts");
    const pid = reloadWatcher(ctx);
    if (pid === undefined) ctx.note("No watcher is running: claude-mirror watch-all starts one.");
    return {
      result: { pid: pid ?? null },
      lines: pid === undefined ? [] : [`The watcher (process ${pid}) looks for projects now.`],
      exit: pid === undefined ? 1 : 0,
    };
  },
});
