import type { SetupLab } from "./setup-lab.ts";

interface Check {
  readonly name: string;
  readonly state: string;
  readonly detail: string;
  readonly advice?: string;
}

/** What `doctor` finds wrong, a line each: the check, what it found and the next step. */
export async function troublesToldBy(lab: Pick<SetupLab, "run">): Promise<{ code: number; found: readonly string[] }> {
  const { code, stdout } = await lab.run(["doctor", "--json"]);
  const { checks } = (JSON.parse(stdout) as { result: { checks: readonly Check[] } }).result;
  const wrong = checks.filter(({ state }) => state !== "ok");
  return { code, found: wrong.map(({ name, detail, advice = "" }) => `${name}: ${detail} ${advice}`) };
}
