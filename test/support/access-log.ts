import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestServer } from "./server-process.ts";

/** One line of a test server's access log. */
export interface LoggedRequest {
  readonly method: string;
  /** Decoded, as the server saw it. */
  readonly path: string;
  readonly status: number;
}

/** What a server answered while `work` ran, in order. */
export async function requestsDuring<T>(
  server: TestServer,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly requests: readonly LoggedRequest[] }> {
  const before = await marked(server);
  const result = await work();
  const requests = (await marked(server)).slice(before.length).filter((one) => !one.path.startsWith(MARK));
  return { result, requests };
}

const MARK = "/mark-";
let marks = 0;

/** Another worker of the server may write its line behind ours: the log counts once it has not grown for this long. */
const QUIET_MS = 40;

/** The whole log, once a request of our own has arrived in it: servers write a line after they have answered. */
async function marked(server: TestServer): Promise<readonly LoggedRequest[]> {
  const path = `${MARK}${++marks}`;
  await (await fetch(`${server.origin}${path}`)).arrayBuffer();
  let length = -1;
  for (;;) {
    const lines = readFileSync(join(server.root, "../../access.log"), "utf8").split("\n").slice(0, -1);
    const requests = lines.map(parseLine);
    const isQuiet = lines.length === length;
    length = lines.length;
    if (isQuiet && requests.some((one) => one.path === path)) return requests;
    await Bun.sleep(QUIET_MS);
  }
}

function parseLine(line: string): LoggedRequest {
  const end = line.lastIndexOf(" ");
  const start = line.indexOf(" ");
  return { method: line.slice(0, start), path: line.slice(start + 1, end), status: Number(line.slice(end + 1)) };
}
