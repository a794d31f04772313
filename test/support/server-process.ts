import { closeSync, openSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";

/** A real server on loopback, started for a test. */
export interface TestServer {
  /** `http://127.0.0.1:PORT` or `https://localhost:PORT`. */
  readonly origin: string;
  /** The folder that the server serves, on this disk. */
  readonly root: string;
  /** How many requests it answered since it started, by method. */
  counts(): Map<string, number>;
  stop(): Promise<void>;
  /** After `stop`: the same server in the same place again. */
  restart?(): Promise<void>;
}

/** A port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}

/** A loaded machine may take a minute to start a server. */
const MOST_LOOKS = 2400;

/** Starts a server in the foreground as our child and waits until it takes connections. */
export async function startServer(
  command: readonly string[],
  options: { readonly port: number; readonly log: string; readonly env?: Record<string, string> },
): Promise<() => Promise<void>> {
  const log = openSync(options.log, "a");
  const child = Bun.spawn([...command], {
    stdin: "ignore",
    stdout: log,
    stderr: log,
    env: { ...process.env, ...options.env },
  });
  closeSync(log);
  for (let attempt = 0; !(await listens(options.port)); attempt++) {
    if (child.exitCode !== null || attempt > MOST_LOOKS) {
      child.kill("SIGKILL");
      throw new Error(`could not start ${command[0]}:\n${readFileSync(options.log, "utf8")}`);
    }
    await Bun.sleep(25);
  }
  return async () => {
    child.kill("SIGTERM");
    await child.exited;
  };
}

/** Starts what `start` starts, to be stopped and started again. */
export async function restartable(
  start: () => Promise<() => Promise<void>>,
): Promise<Required<Pick<TestServer, "stop" | "restart">>> {
  let stop = await start();
  return {
    stop: () => stop(),
    async restart() {
      stop = await start();
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Counts requests by method in the text of an access log whose lines begin with the method. */
export function countMethods(log: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of log.split("\n")) {
    const method = line.split(" ", 1)[0] ?? "";
    if (/^[A-Z]+$/.test(method)) counts.set(method, (counts.get(method) ?? 0) + 1);
  }
  return counts;
}
