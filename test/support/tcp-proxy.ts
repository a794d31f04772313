import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A network on loopback that can be broken: what comes in goes to one server. */
export interface TcpProxy {
  /** `http://127.0.0.1:PORT`, the same for as long as it lives. */
  readonly origin: string;
  /** Breaks every connection. */
  drop(): void;
  /** Breaks every connection and refuses new ones. */
  cut(): Promise<void>;
  /** Lets nothing through any more, and tells nobody. */
  hang(): void;
  /** After `cut` and `hang`: works again. What hung is broken, as by a router that has forgotten it. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

/** Stands before the server at `target` (`http://127.0.0.1:PORT`). */
export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port: targetPort } = new URL(target);
  const sockets = new Set<Socket>();
  const hung = new Set<Socket>();
  let hangs = false;
  const take = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => {
      sockets.delete(socket);
      hung.delete(socket);
    });
    socket.on("error", () => socket.destroy());
  };
  const stall = (socket: Socket) => {
    hung.add(socket);
    socket.unpipe();
    socket.pause();
  };
  const serve = (incoming: Socket) => {
    take(incoming);
    if (hangs) return stall(incoming);
    const outgoing = connect(Number(targetPort), hostname);
    take(outgoing);
    incoming.pipe(outgoing);
    outgoing.pipe(incoming);
    incoming.on("close", () => outgoing.destroy());
    outgoing.on("close", () => incoming.destroy());
  };
  const listen = (port: number): Promise<Server> =>
    new Promise((resolve, reject) => {
      const made = createServer(serve);
      made.once("error", reject);
      made.listen(port, "127.0.0.1", () => resolve(made));
    });
  let server: Server | undefined = await listen(0);
  const { port } = server.address() as AddressInfo;
  const destroy = (which: ReadonlySet<Socket>) => {
    for (const socket of [...which]) socket.destroy();
  };
  const cut = async () => {
    const closing = server;
    server = undefined;
    destroy(sockets);
    if (closing !== undefined) await new Promise<void>((resolve) => closing.close(() => resolve()));
  };
  return {
    origin: `http://127.0.0.1:${port}`,
    drop: () => destroy(sockets),
    cut,
    hang() {
      hangs = true;
      for (const socket of sockets) stall(socket);
    },
    async mend() {
      hangs = false;
      destroy(hung);
      server ??= await listen(port);
    },
    close: cut,
  };
}
