import * as net from "node:net";
import { HttpConnection } from "./http-connection.ts";
import { HttpError } from "./http-error.ts";

/** The connections to one host and port: so many at the most, kept for the next request. */
export class HttpPool {
  readonly #url: URL;
  readonly #most: number;
  readonly #tls: typeof import("node:tls") | undefined;
  readonly #all = new Set<HttpConnection>();
  /** The one used last is used next, so that the others may run out. */
  readonly #idle: HttpConnection[] = [];
  readonly #waiting = new Set<Waiter>();

  /** `tls` is given for https. */
  constructor(url: URL, options: { readonly most: number; readonly tls: typeof import("node:tls") | undefined }) {
    this.#url = url;
    this.#most = options.most;
    this.#tls = options.tls;
  }

  /** A free connection, or a new one, or the first that is given back. Throws the signal's reason. */
  take(signal: AbortSignal | undefined): HttpConnection | Promise<HttpConnection> {
    signal?.throwIfAborted();
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) {
      if (kept.isFresh) return kept;
      kept.close();
    }
    if (this.#all.size < this.#most) return this.open();
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiter);
        reject(signal?.reason);
      };
      const done = () => signal?.removeEventListener("abort", leave);
      const waiter: Waiter = {
        give: (connection) => {
          done();
          resolve(connection);
        },
        refuse: (error) => {
          done();
          reject(error);
        },
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.add(waiter);
    });
  }

  /** A connection that nothing has gone over yet, even above the limit: in place of one that was just found dead. */
  open(): HttpConnection {
    const { protocol, hostname, port } = this.#url;
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const where = { host, port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port) };
    const name = net.isIP(host) ? {} : { servername: host };
    const socket =
      this.#tls === undefined
        ? net.connect(where)
        : this.#tls.connect({ ...where, ...ownAuthorities(this.#tls), ALPNProtocols: ["http/1.1"], ...name });
    const connection = new HttpConnection(socket, {
      readyEvent: this.#tls === undefined ? "connect" : "secureConnect",
      onFree: (free) => this.#onFree(free),
      onGone: (gone) => this.#onGone(gone),
    });
    this.#all.add(connection);
    return connection;
  }

  close(): void {
    const error = new HttpError("the connections were closed", { failure: "cut", reached: false });
    for (const waiter of this.#waiting) waiter.refuse(error);
    this.#waiting.clear();
    for (const connection of [...this.#all]) connection.close();
  }

  #onFree(connection: HttpConnection): void {
    const waiter = this.#all.size > this.#most ? undefined : this.#next();
    if (waiter !== undefined) waiter.give(connection);
    else if (this.#all.size > this.#most) connection.close();
    else this.#idle.push(connection);
  }

  #onGone(connection: HttpConnection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#all.size >= this.#most) return;
    this.#next()?.give(this.open());
  }

  #next(): Waiter | undefined {
    const [waiter] = this.#waiting;
    if (waiter !== undefined) this.#waiting.delete(waiter);
    return waiter;
  }
}

interface Waiter {
  readonly give: (connection: HttpConnection) => void;
  readonly refuse: (error: unknown) => void;
}

/** Deno's `node:tls` leaves out what NODE_EXTRA_CA_CERTS adds (2.9.6), unless it is told. Nothing where none is added. */
function ownAuthorities(tls: typeof import("node:tls")): { readonly ca?: string[] } {
  const isLeftOut = process.versions["deno"] !== undefined && tls.getCACertificates("extra").length > 0;
  return isLeftOut ? { ca: tls.getCACertificates("default") } : {};
}
