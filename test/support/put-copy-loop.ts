import { mkdirSync, readFileSync } from "node:fs";
import * as http from "node:http";
import { join } from "node:path";
import type { TestServer } from "./server-process.ts";
import { giveToServer } from "./webdav-setup.ts";

export interface LoopOptions {
  /** Folder below the server's root, made here with all it needs. */
  readonly name: string;
  /** Where the bodies are. */
  readonly folder: string;
  readonly paths: readonly string[];
  readonly user: { readonly username: string; readonly password: string };
  readonly connections: number;
}

/** The least that a push with a snapshot can be: each body is PUT and then COPYed to its blob. Milliseconds. */
export async function putAndCopyLoop(server: TestServer, options: LoopOptions): Promise<number> {
  const { name, folder, paths, user, connections } = options;
  const root = join(server.root, name);
  for (const path of paths) mkdirSync(join(root, path, ".."), { recursive: true });
  for (let i = 0; i < 256; i++) mkdirSync(join(root, "blobs", String(i)), { recursive: true });
  giveToServer(root);
  const bodies = paths.map((path) => readFileSync(join(folder, path)));
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const authorization = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString("base64")}`;
  const send = (method: string, path: string, headers: http.OutgoingHttpHeaders, body?: Buffer) =>
    new Promise<void>((resolve, reject) => {
      const options = { method, agent, headers: { ...headers, Authorization: authorization } };
      const request = http.request(`${server.origin}/dav/${name}/${path}`, options, (answer) => {
        answer
          .resume()
          .on("end", () => (answer.statusCode === 201 ? resolve() : reject(new Error(`${answer.statusCode}`))));
      });
      request.on("error", reject);
      request.end(body);
    });
  const start = performance.now();
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < paths.length; i = next++) {
      const body = bodies[i] as Buffer;
      await send("PUT", paths[i] as string, { "Content-Length": body.length }, body);
      const Destination = `${server.origin}/dav/${name}/blobs/${i % 256}/${i}`;
      await send("COPY", paths[i] as string, { Destination, Depth: "0", Overwrite: "F" });
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  const ms = performance.now() - start;
  agent.destroy();
  return ms;
}
