import { createServer, type Socket } from "node:net";

export interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A server that answers with whatever bytes the test wants, well-formed or not. */
export interface RawServer {
  readonly origin: string;
  readonly requests: readonly RawRequest[];
  stop(): Promise<void>;
}

/**
 * Listens on a loopback port. `answer` gets each request once it is complete and the socket to write to; a string it
 * gives back is sent as it is.
 */
export async function rawServer(
  answer: (request: RawRequest, socket: Socket, count: number) => string | undefined,
): Promise<RawServer> {
  const requests: RawRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    let pending = "";
    socket.on("data", (bytes) => {
      pending += bytes.toString("latin1");
      for (let read = readRequest(pending); read; read = readRequest(pending)) {
        pending = pending.slice(read.length);
        requests.push(read.request);
        const text = answer(read.request, socket, requests.length);
        if (text !== undefined) socket.write(text);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    origin: `http://127.0.0.1:${address.port}`,
    requests,
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function readRequest(text: string): { readonly request: RawRequest; readonly length: number } | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const length = end + 4 + Number(headers["content-length"] ?? 0);
  if (text.length < length) return undefined;
  const [method = "", url = ""] = first.split(" ");
  return { request: { method, url, headers, body: text.slice(end + 4, length) }, length };
}

/** A whole answer with a Content-Length that is right. */
export function answerOf(status: string, body = "", headers: readonly string[] = []): string {
  const lines = [`HTTP/1.1 ${status}`, `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}
