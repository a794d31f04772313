/** A message as the service keeps it. */
export interface StoredMessage {
  readonly id: string;
  /** Base64. */
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly publishedMs: number;
}

/** What one subscription still has to deliver. */
export interface Subscription {
  readonly name: string;
  topic: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Messages that nobody has now, the oldest first. */
  readonly waiting: StoredMessage[];
  /** Ack id to what was handed out and not acknowledged. */
  readonly out: Map<string, { readonly message: StoredMessage; readonly to: Receiver }>;
  /** Streams that take messages. */
  readonly receivers: Set<Receiver>;
  /** Ids of messages that were acknowledged, in that order. */
  readonly acked: string[];
}

/** One open stream. */
export type Receiver = (ackId: string, message: StoredMessage) => void;

/** A refusal in Google's words. https://cloud.google.com/apis/design/errors */
export class PubsubRefusal extends Error {
  readonly status: "NOT_FOUND" | "ALREADY_EXISTS" | "PERMISSION_DENIED" | "UNAUTHENTICATED" | "INVALID_ARGUMENT";
  readonly reason: string | undefined;
  constructor(status: PubsubRefusal["status"], message: string, reason?: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

export interface PubsubStore {
  readonly topics: Set<string>;
  readonly subscriptions: Map<string, Subscription>;
  /** Everything that was published, the oldest first. */
  readonly published: (StoredMessage & { readonly topic: string })[];
  createTopic(name: string): void;
  deleteTopic(name: string): void;
  topic(name: string): string;
  createSubscription(name: string, settings: Readonly<Record<string, unknown>>): Subscription;
  subscription(name: string): Subscription;
  deleteSubscription(name: string): void;
  /** Answers the ids. */
  publish(topic: string, messages: readonly Pick<StoredMessage, "data" | "attributes">[]): string[];
  /** Hands out what waits; the answer takes the stream away again, and what it had waits anew. */
  attach(name: string, receiver: Receiver): () => void;
  acknowledge(name: string, ackIds: readonly string[]): void;
  /** `0` seconds give a message back at once. Deadlines do not pass by themselves here: a stream that ends gives all back. */
  modifyDeadline(name: string, ackIds: readonly string[], seconds: number): void;
}

/**
 * Topics and subscriptions in memory, at-least-once: what is not acknowledged is delivered again.
 * https://cloud.google.com/pubsub/docs/subscriber
 */
export function createPubsubStore(now: () => number): PubsubStore {
  let serial = 0;
  const topics = new Set<string>();
  const subscriptions = new Map<string, Subscription>();
  const published: PubsubStore["published"] = [];
  /** Ack id to message, for good: one that comes late still counts while nobody else has the message. */
  const given = new Map<string, string>();

  const deliver = (one: Subscription): void => {
    const [receiver] = one.receivers;
    if (receiver === undefined) return;
    for (const message of one.waiting.splice(0)) {
      const ackId = `ack-${++serial}`;
      one.out.set(ackId, { message, to: receiver });
      given.set(ackId, message.id);
      receiver(ackId, message);
    }
  };
  const giveBack = (one: Subscription, ackIds: readonly string[]): void => {
    const messages = ackIds.flatMap((id) => one.out.get(id)?.message ?? []);
    for (const id of ackIds) one.out.delete(id);
    one.waiting.push(...messages);
    one.waiting.sort((a, b) => Number(a.id) - Number(b.id));
    if (messages.length > 0) deliver(one);
  };
  const store: PubsubStore = {
    topics,
    subscriptions,
    published,
    createTopic(name) {
      if (topics.has(name)) throw new PubsubRefusal("ALREADY_EXISTS", `Resource already exists (resource=${name}).`);
      topics.add(name);
    },
    deleteTopic(name) {
      topics.delete(name);
      for (const one of subscriptions.values()) if (one.topic === name) one.topic = "_deleted-topic_";
    },
    topic(name) {
      if (!topics.has(name)) throw new PubsubRefusal("NOT_FOUND", `Resource not found (resource=${name}).`);
      return name;
    },
    createSubscription(name, settings) {
      if (subscriptions.has(name))
        throw new PubsubRefusal("ALREADY_EXISTS", `Resource already exists (resource=${name}).`);
      const id = name.slice(name.lastIndexOf("/") + 1);
      if (!/^(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}$/.test(id))
        throw new PubsubRefusal("INVALID_ARGUMENT", `Invalid [subscriptions] name: (name=${name})`);
      const one: Subscription = {
        name,
        topic: store.topic(String(settings["topic"])),
        settings,
        waiting: [],
        out: new Map(),
        receivers: new Set(),
        acked: [],
      };
      subscriptions.set(name, one);
      return one;
    },
    subscription(name) {
      const one = subscriptions.get(name);
      if (one === undefined) throw new PubsubRefusal("NOT_FOUND", `Resource not found (resource=${name}).`);
      return one;
    },
    deleteSubscription: (name) => void subscriptions.delete(store.subscription(name).name),
    publish(topic, messages) {
      store.topic(topic);
      const kept = messages.map(({ data, attributes }) => ({
        id: String(++serial),
        data,
        attributes,
        publishedMs: now(),
      }));
      published.push(...kept.map((message) => ({ ...message, topic })));
      for (const one of subscriptions.values()) {
        if (one.topic !== topic) continue;
        one.waiting.push(...kept);
        deliver(one);
      }
      return kept.map(({ id }) => id);
    },
    attach(name, receiver) {
      const one = store.subscription(name);
      one.receivers.add(receiver);
      deliver(one);
      return () => {
        one.receivers.delete(receiver);
        giveBack(
          one,
          [...one.out].filter(([, { to }]) => to === receiver).map(([id]) => id),
        );
      };
    },
    acknowledge(name, ackIds) {
      const one = store.subscription(name);
      for (const ackId of ackIds) {
        const id = given.get(ackId);
        const at = one.waiting.findIndex((message) => message.id === id);
        if (at >= 0) one.waiting.splice(at, 1);
        if (id !== undefined && (at >= 0 || one.out.has(ackId))) one.acked.push(id);
        one.out.delete(ackId);
      }
    },
    modifyDeadline(name, ackIds, seconds) {
      const one = store.subscription(name);
      if (seconds === 0) giveBack(one, ackIds);
    },
  };
  return store;
}
