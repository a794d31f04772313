import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";

/** One address before two servers: who speaks HTTP/2 gets the one, everybody else the other. */
export interface OnePort {
  readonly port: number;
  /** Breaks every connection and takes none until `comeBack`. */
  goDown(): Promise<void>;
  comeBack(): Promise<void>;
  stop(): Promise<void>;
}

export interface OnePortOptions {
  /** Ports at 127.0.0.1 that speak in the clear. */
  readonly http1: number;
  readonly http2: number;
  /** Ends TLS here, for both. */
  readonly tls?: { readonly key: string; readonly cert: string } | undefined;
}

export async function startOnePort({ http1, http2, tls }: OnePortOptions): Promise<OnePort> {
  const sockets = new Set<Socket>();
  const join = (from: Socket, port: number, first: Uint8Array) => {
    const to = connect(port, "127.0.0.1");
    for (const one of [from, to]) {
      sockets.add(one);
      one.on("close", () => sockets.delete(one));
      one.on("error", () => undefined);
    }
    from.on("close", () => to.destroy());
    to.on("close", () => from.destroy());
    to.write(first);
    from.pipe(to);
    to.pipe(from);
  };
  const take = (socket: Socket) => {
    socket.on("error", () => undefined);
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.once("data", (first) => {
      // RFC 9113 3.4: the client's preface.
      const isHttp2 = Buffer.from(first).toString("latin1").startsWith("PRI * HTTP/2");
      socket.pause();
      join(socket, isHttp2 ? http2 : http1, first as Uint8Array);
    });
  };
  const server =
    tls === undefined
      ? createServer(take)
      : createTlsServer({ ...tls, ALPNProtocols: ["h2", "http/1.1"] }, (socket: TLSSocket) => take(socket));
  const listen = (port: number) => new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const goDown = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { port, goDown, comeBack: () => listen(port), stop: goDown };
}
