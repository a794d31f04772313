import { createRequire } from "node:module";
import * as grpc from "@grpc/grpc-js";
import * as loader from "@grpc/proto-loader";
import { PubsubRefusal, type PubsubStore } from "./store.ts";

/** The gRPC interface of v1 over the same store. https://cloud.google.com/pubsub/docs/reference/rpc */
export interface PubsubGrpc {
  readonly port: number;
  /** Calls by method. */
  readonly calls: ReadonlyMap<string, number>;
  /** How many streaming pulls are open. */
  streams(): number;
  /** Ends every streaming pull with this status. */
  endStreams(code: grpc.status, details: string): void;
  stop(): void;
}

export interface PubsubGrpcOptions {
  readonly store: PubsubStore;
  /** Whether a call with this `authorization` may do what the permission names. Throws PubsubRefusal. */
  authorize(authorization: string, permission: string): void;
}

type Message = Readonly<Record<string, unknown>>;
type Unary = (request: Message) => Message;

const require = createRequire(import.meta.url);

export async function startPubsubGrpc({ store, authorize }: PubsubGrpcOptions): Promise<PubsubGrpc> {
  const definition = loader.fromJSON(require("@google-cloud/pubsub/build/protos/protos.json"), {
    longs: Number,
    defaults: true,
  });
  const calls = new Map<string, number>();
  const open = new Set<grpc.ServerDuplexStream<Message, Message>>();
  const count = (name: string) => calls.set(name, (calls.get(name) ?? 0) + 1);
  const token = (call: { readonly metadata: grpc.Metadata }) => String(call.metadata.get("authorization")[0] ?? "");

  const unary =
    (name: string, permission: string, work: Unary): grpc.handleUnaryCall<Message, Message> =>
    (call, done) => {
      count(name);
      try {
        authorize(token(call), permission);
        done(null, work(call.request));
      } catch (error) {
        done(statusOf(error));
      }
    };

  const server = new grpc.Server();
  server.addService(definition["google.pubsub.v1.Publisher"] as grpc.ServiceDefinition, {
    CreateTopic: unary("CreateTopic", "pubsub.topics.create", (topic) => {
      store.createTopic(String(topic["name"]));
      return topic;
    }),
    GetTopic: unary("GetTopic", "pubsub.topics.get", ({ topic }) => ({ name: store.topic(String(topic)) })),
    Publish: unary("Publish", "pubsub.topics.publish", ({ topic, messages }) => {
      const given = (
        messages as readonly { readonly data: Uint8Array; readonly attributes: Record<string, string> }[]
      ).map(({ data, attributes }) => ({ data: Buffer.from(data).toString("base64"), attributes }));
      return { messageIds: store.publish(String(topic), given) };
    }),
  });
  server.addService(definition["google.pubsub.v1.Subscriber"] as grpc.ServiceDefinition, {
    CreateSubscription: unary("CreateSubscription", "pubsub.subscriptions.create", (given) => {
      store.createSubscription(String(given["name"]), given);
      return given;
    }),
    GetSubscription: unary("GetSubscription", "pubsub.subscriptions.get", ({ subscription }) => {
      const { name, topic } = store.subscription(String(subscription));
      return { name, topic };
    }),
    Acknowledge: unary("Acknowledge", "pubsub.subscriptions.consume", ({ subscription, ackIds }) => {
      store.acknowledge(String(subscription), ackIds as readonly string[]);
      return {};
    }),
    ModifyAckDeadline: unary("ModifyAckDeadline", "pubsub.subscriptions.consume", (given) => {
      const seconds = Number(given["ackDeadlineSeconds"]);
      store.modifyDeadline(String(given["subscription"]), given["ackIds"] as readonly string[], seconds);
      return {};
    }),
    StreamingPull(call: grpc.ServerDuplexStream<Message, Message>) {
      count("StreamingPull");
      pull(call);
    },
  });

  /** The first request names the subscription; later ones acknowledge, or keep the stream alive and are answered. */
  const pull = (call: grpc.ServerDuplexStream<Message, Message>): void => {
    let detach: (() => void) | undefined;
    const end = () => {
      open.delete(call);
      detach?.();
      detach = undefined;
    };
    call.on("data", (request: Message) => {
      const name = String(request["subscription"]);
      try {
        if (detach !== undefined) {
          call.write({});
          return;
        }
        authorize(token(call), "pubsub.subscriptions.consume");
        detach = store.attach(name, (ackId, { id, data, attributes, publishedMs }) => {
          const message = {
            messageId: id,
            data: Buffer.from(data, "base64"),
            attributes,
            publishTime: { seconds: Math.floor(publishedMs / 1000) },
          };
          call.write({ receivedMessages: [{ ackId, message }] });
        });
        open.add(call);
      } catch (error) {
        call.emit("error", statusOf(error));
      }
    });
    for (const event of ["end", "cancelled", "close"]) call.on(event, end);
    call.on("end", () => call.end());
    call.on("error", end);
  };

  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return {
    port,
    calls,
    streams: () => open.size,
    endStreams(code, details) {
      for (const call of [...open]) call.emit("error", { code, details });
    },
    stop: () => server.forceShutdown(),
  };
}

function statusOf(error: unknown): Partial<grpc.StatusObject> & Error {
  const status = error instanceof PubsubRefusal ? grpc.status[error.status] : grpc.status.INTERNAL;
  const message = error instanceof Error ? error.message : String(error);
  return Object.assign(new Error(message), { code: status, details: message });
}
