import * as http from "node:http";
import type { TestServer } from "./server-process.ts";

export interface GetLoopOptions {
  /** Below the server's `/dav/`. */
  readonly paths: readonly string[];
  readonly user: { readonly username: string; readonly password: string };
  readonly connections: number;
}

/** The least that a restore can be: each body is fetched and thrown away. Milliseconds. */
export async function getLoop(
  server: Pick<TestServer, "origin">,
  { paths, user, connections }: GetLoopOptions,
): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const authorization = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString("base64")}`;
  const fetchOne = (path: string) =>
    new Promise<void>((resolve, reject) => {
      const options = { agent, headers: { Authorization: authorization } };
      const request = http.get(`${server.origin}/dav/${path}`, options, (answer) => {
        answer
          .resume()
          .on("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`))));
      });
      request.on("error", reject);
    });
  const start = performance.now();
  let next = 0;
  const worker = async () => {
    for (let path = paths[next++]; path !== undefined; path = paths[next++]) await fetchOne(path);
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const ms = performance.now() - start;
  agent.destroy();
  return ms;
}

/** The same in a process of its own, which begins as cold as any command: `ORIGIN NAME PASSWORD CONNECTIONS` and the paths as lines of the standard input. */
async function main([origin = "", username = "", password = "", connections = ""]: readonly string[]): Promise<void> {
  const paths = (await Bun.stdin.text()).split("\n").filter((path) => path !== "");
  await getLoop({ origin }, { paths, user: { username, password }, connections: Number(connections) });
}

if (import.meta.main) await main(process.argv.slice(2));
