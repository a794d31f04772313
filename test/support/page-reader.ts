import { join } from "node:path";
import { type Place, readPage } from "./pages.ts";

/** What a page says goes wrong: the quoted messages in the first column of its tables. */
export function messagesOf(page: string): string[] {
  const cells = [...readPage(page).matchAll(/^\| ([^|]*`[^|]*) \|.*\|$/gm)].map(([, cell = ""]) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, message = ""]) => message));
}

/** Runs a line of a page as `Place.run` does, for a server in this process, which must go on answering meanwhile. */
export async function runLine(
  { home, project }: Place,
  line: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly code: number; readonly said: string }> {
  const all = { HOME: home, PATH: `${join(home, "bin")}:/usr/bin:/bin`, ...env };
  const child = Bun.spawn(["bash", "-euc", line], { cwd: project, env: all, stdout: "pipe", stderr: "pipe" });
  const said = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, said: said.join("") };
}
