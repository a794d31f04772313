import type { Check, CheckState, DoctorResult } from "../../project/model.ts";
import { printable, type Style } from "../terminal.ts";

/** One line a check, its advice below it, and the verdict. */
export function doctorLines({ checks }: DoctorResult, style: Style): readonly string[] {
  const lines = checks.flatMap((check) => checkLines(check, style));
  const count = (state: CheckState) => checks.filter((check) => check.state === state).length;
  const verdict =
    count("failed") > 0
      ? style.red(`${count("failed")} problem(s), ${count("warning")} warning(s).`)
      : count("warning") > 0
        ? style.yellow(`It works, with ${count("warning")} warning(s).`)
        : style.green("Everything is fine.");
  return [...lines, "", verdict];
}

function checkLines({ name, state, detail, advice }: Check, style: Style): readonly string[] {
  const line = `${stateMark(state, style)} ${style.bold(name)}: ${printable(detail)}`;
  return advice === undefined ? [line] : [line, `    ${printable(advice)}`];
}

function stateMark(state: CheckState, style: Style): string {
  switch (state) {
    case "ok":
      return style.green("✓");
    case "warning":
      return style.yellow("!");
    case "failed":
      return style.red("✗");
  }
}
