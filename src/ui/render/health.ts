import type { HealthCheck, HealthResult } from "../../project/model.ts";
import { printable, type Style } from "../terminal.ts";
import { hangingLines } from "../width.ts";

/** One line a check, what to do below it, and the verdict. */
export function healthLines({ overall, checks }: HealthResult, style: Style): readonly string[] {
  return [...checks.flatMap((check) => checkLines(check, style)), "", verdict(overall, style)];
}

function checkLines({ name, status, detail, advice, latency_ms }: HealthCheck, style: Style): readonly string[] {
  const took = latency_ms === null ? "" : style.dim(` (${latency_ms} ms)`);
  const line = `${paintOf(status, style)(status.padEnd(4))}  ${style.bold(printable(name))}: ${printable(detail)}${took}`;
  const { width } = style;
  const lines = hangingLines(line, { indent: 6, width });
  return advice === null ? lines : [...lines, ...hangingLines(`      ${printable(advice)}`, { indent: 6, width })];
}

function verdict(overall: HealthCheck["status"], style: Style): string {
  const words = { ok: "Healthy.", warn: "It works, with warnings.", fail: "Something is wrong." };
  return paintOf(overall, style)(words[overall]);
}

function paintOf(status: HealthCheck["status"], style: Style): (text: string) => string {
  return { ok: style.green, warn: style.yellow, fail: style.red }[status];
}
