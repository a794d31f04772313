import { resolve } from "node:path";
import { doctorLines } from "../../ui/render/doctor.ts";
import { CONFIG_OPTIONS, command } from "../command.ts";
import { EXIT } from "../exit.ts";

export const doctorCommand = command({
  name: "doctor",
  summary: "Check settings, records, sign-in and the remote, and say what to do",
  about: [
    "Every check stands for itself, so it works with a broken settings file and without a network. Nothing is changed; only when it is not known yet what the server can do are small test files written there and removed again.",
    "Exit code 0 when nothing failed, 1 when something did, 6 when it is the sign-in.",
  ],
  options: { ...CONFIG_OPTIONS },
  examples: ["claude-mirror doctor"],
  async run(ctx, { options }) {
    const { diagnose, onlySignInFailed } = await import("../../setup/doctor.ts");
    const config = options.config === undefined ? undefined : resolve(ctx.cwd, options.config);
    const found = await diagnose(ctx, config);
    const { checks, configFile, guard } = found;
    const failed = checks.some(({ state }) => state === "failed");
    return {
      result: { config: configFile, guard, checks },
      lines: doctorLines(found, ctx.out.style),
      exit: onlySignInFailed(checks) ? EXIT.needsAction : failed ? EXIT.failed : EXIT.ok,
    };
  },
});
