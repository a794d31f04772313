import { Duration, type Message, PubSub, type Subscription, SubscriptionCloseBehaviors } from "@google-cloud/pubsub";
import type { ListenOptions } from "../../channel.ts";
import { BackendError } from "../../errors.ts";
import type { Connection } from "./connection.ts";
import { rightsHint } from "./errors.ts";
import { MACHINE_ID, REMOTE } from "./marks.ts";
import { idOf } from "./subscription.ts";

export interface Listener {
  /** `projects/P/subscriptions/S` */
  readonly name: string;
  /** What it said itself is acknowledged and not handed over. */
  readonly machineId: string;
}

/** What a stream that ends may take until its last words, acknowledgements among them, have arrived. */
const CLOSING_MS = 1_500;

/** Status codes of gRPC. https://grpc.io/docs/guides/status-codes/ */
const OK = 0;
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;

/**
 * One streaming pull by the official client, until the signal fires; then it returns. A message is acknowledged after
 * `take` has returned. Throws BackendError as soon as the stream ends by itself: opening it anew is the caller's.
 */
export async function listenTo(connection: Connection, listener: Listener, options: ListenOptions): Promise<void> {
  const { signal } = options;
  signal.throwIfAborted();
  const client = openClient(connection);
  const stream = client.subscription(listener.name, {
    streamingOptions: { maxStreams: 1 },
    batching: { maxMilliseconds: 10 },
    closeOptions: {
      behavior: SubscriptionCloseBehaviors.WaitForProcessing,
      timeout: Duration.from({ milliseconds: CLOSING_MS }),
    },
  });
  const ended = Promise.withResolvers<void>();
  const fail = (error: unknown) => ended.reject(client.trouble() ?? fromGrpc(error, connection, listener));
  const stop = () => ended.resolve();
  signal.addEventListener("abort", stop, { once: true });
  const taking = takeInTurn(stream, { connection, listener, options, fail: (error) => ended.reject(error) });
  stream.on("error", fail);
  // The client would go on by itself; the caller wants to know, to look at the log meanwhile. It replaces a stream that has
  // stood for its longest time without a word to anybody.
  stream.on("debug", ({ error }) => {
    const code = codeOf(error);
    if (code !== OK && code !== DEADLINE_EXCEEDED) fail(error);
  });
  try {
    // Answered over the connection of the stream, which was asked for before.
    await Promise.race([stream.getMetadata(), ended.promise]).catch((error: unknown) => {
      throw error instanceof BackendError ? error : (client.trouble() ?? fromGrpc(error, connection, listener));
    });
    if (!signal.aborted) options.onOpen();
    await ended.promise;
  } finally {
    signal.removeEventListener("abort", stop);
    await taking.end();
    await client.close(stream);
  }
}

interface Client {
  subscription: PubSub["subscription"];
  /** Why there was no token to send. */
  trouble(): BackendError | undefined;
  close(stream: Subscription): Promise<void>;
}

function openClient({ place, host, session }: Connection): Client {
  let trouble: BackendError | undefined;
  const client = {
    getRequestHeaders: async () => {
      try {
        const access = await session.token();
        trouble = undefined;
        return new Headers({ authorization: `Bearer ${access}` });
      } catch (error) {
        if (error instanceof BackendError) trouble = error;
        throw error;
      }
    },
  };
  // As much of GoogleAuth as the client asks for; the real one would look for credentials of its own on this machine.
  const auth = { getClient: async () => client, getUniverseDomain: async () => "googleapis.com" };
  // Without TLS only this machine itself can be meant, and no token is sent.
  const { origin, protocol } = new URL(host);
  const options = { projectId: place.project, apiEndpoint: origin, emulatorMode: protocol === "http:", auth };
  const pubsub = new PubSub(options as object);
  return {
    subscription: (name, settings) => pubsub.subscription(name, settings),
    trouble: () => trouble,
    async close(stream) {
      // Late words of a stream that is given up.
      stream.on("error", () => undefined);
      await stream.close().catch(() => undefined);
      await pubsub.close().catch(() => undefined);
    },
  };
}

interface Taking {
  readonly connection: Connection;
  readonly listener: Listener;
  readonly options: ListenOptions;
  fail(error: unknown): void;
}

/** Hands messages over one by one. After a failure, and once it has ended, what comes is left to be delivered again. */
function takeInTurn(stream: Subscription, { connection, listener, options, fail }: Taking) {
  let isOver = false;
  let last = Promise.resolve();
  const take = async (message: Message): Promise<void> => {
    if (isOver || options.signal.aborted) return message.nack();
    const { attributes } = message;
    const remote = attributes[REMOTE];
    const isOwn = attributes[MACHINE_ID] === listener.machineId;
    const isOthers = remote !== undefined && remote !== connection.place.remote;
    try {
      if (!isOwn && !isOthers)
        await options.take({ data: message.data.toString(), attributes, sure: remote !== undefined });
      message.ack();
    } catch (error) {
      isOver = true;
      message.nack();
      fail(error);
    }
  };
  stream.on("message", (message) => {
    last = last.then(() => take(message));
  });
  return {
    async end() {
      isOver = true;
      await last;
    },
  };
}

function codeOf(error: unknown): number | undefined {
  const code = (error as { readonly code?: unknown } | undefined)?.code;
  return typeof code === "number" ? code : undefined;
}

function fromGrpc(error: unknown, { place, session }: Connection, { name }: Listener): BackendError {
  const code = codeOf(error);
  const details = (error as { readonly details?: unknown }).details;
  const said = typeof details === "string" ? details : error instanceof Error ? error.message : String(error);
  const attempted = `Could not listen to the subscription "${idOf(name)}"`;
  switch (code) {
    case NOT_FOUND:
      return new BackendError(`${attempted}: it was removed`, { class: "TRANSIENT", cause: error });
    case PERMISSION_DENIED: {
      const account = session.account();
      const who = account === "" ? "the account" : `"${account}"`;
      const hint = rightsHint({ project: place.project, account });
      return new BackendError(`${attempted}: ${who} may not read it`, { class: "PERMISSION", hint, cause: error });
    }
    case UNAUTHENTICATED:
      return new BackendError(`${attempted}: the sign-in was not accepted`, { class: "TRANSIENT", cause: error });
    default:
      return new BackendError(`${attempted}: ${said.slice(0, 200)}`, { class: "TRANSIENT", cause: error });
  }
}
