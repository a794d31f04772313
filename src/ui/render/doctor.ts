import type { Check, CheckState, DoctorReport } from "../../project/model.ts";
import { printable, type Style } from "../terminal.ts";
import { hangingLines } from "../width.ts";

/** One line a check, its advice below it, each project and the installation under its heading, and the verdict. */
export function doctorLines({ projects, installation }: DoctorReport, style: Style): readonly string[] {
  const parts = projects.map(({ configFile, checks }) => ({ heading: configFile ?? "Project", checks }));
  const shown = [...parts, { heading: "Installation", checks: installation }].filter(({ checks }) => checks.length > 0);
  const lines = shown.flatMap(({ heading, checks }, at) => [
    ...(at === 0 ? [] : [""]),
    ...(shown.length === 1 ? [] : [style.bold(printable(heading))]),
    ...checks.flatMap((check) => checkLines(check, style)),
  ]);
  const all = shown.flatMap(({ checks }) => checks);
  const count = (state: CheckState) => all.filter((check) => check.state === state).length;
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
  const { width } = style;
  const lines = hangingLines(line, { indent: 2, width });
  return advice === undefined ? lines : [...lines, ...hangingLines(`    ${printable(advice)}`, { indent: 4, width })];
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
