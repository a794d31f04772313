import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import type { Channel, ReceivedMessage } from "../../../src/backends/channel.ts";
import { BackendError } from "../../../src/backends/errors.ts";
import { googledrive } from "../../../src/backends/googledrive/index.ts";
import { startFakeDrive } from "../../fakes/googledrive/server.ts";
import { startFakePubsub } from "../../fakes/pubsub/server.ts";
import type { Subscription } from "../../fakes/pubsub/store.ts";
import { type PubsubPlace, pubsubPlace, TOPIC } from "../../support/pubsub-place.ts";
import { tempFolder } from "../../support/temp.ts";
import { until } from "../../support/until.ts";

const drive = await startFakeDrive();
const pubsub = await startFakePubsub({ userOf: (token) => drive.oauth.userOf(token) });
afterAll(async () => {
  await drive.stop();
  await pubsub.stop();
});
const base = tempFolder("pubsub-listen");
const { store, grpc } = pubsub;
beforeEach(() => {
  store.topics.clear();
  store.subscriptions.clear();
  store.createTopic(TOPIC);
  pubsub.denied.clear();
  pubsub.reset();
});

const two = (): [PubsubPlace, PubsubPlace] => {
  const a = pubsubPlace({ drive, pubsub }, base);
  return [a, pubsubPlace({ drive, pubsub }, base, { config: { driveFolderId: a.config.driveFolderId } })];
};
const channelOf = async ({ config, deps }: PubsubPlace): Promise<Channel> => {
  const channel = await googledrive.channel?.(config, deps);
  if (channel === undefined) throw new Error("no channel");
  return channel;
};

/** Somebody who listens; `take` may fail. */
async function listener(place: PubsubPlace, take: (message: ReceivedMessage) => void = () => undefined) {
  const channel = await channelOf(place);
  const stop = new AbortController();
  const got: string[] = [];
  const opened = Promise.withResolvers<void>();
  const ended = channel
    .listen({
      signal: stop.signal,
      onOpen: opened.resolve,
      async take(message) {
        got.push(`${message.data}${message.sure ? "" : " ?"}`);
        take(message);
      },
    })
    .finally(() => channel.close());
  ended.catch(opened.resolve);
  await opened.promise;
  return {
    got,
    ended,
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

async function say(place: PubsubPlace, ...words: string[]): Promise<void> {
  const channel = await channelOf(place);
  await channel.publish(words.map((data) => ({ data, attributes: { machine: "m" } })));
  channel.close();
}

function only(): Subscription {
  const [one] = store.subscriptions.values();
  if (one === undefined || store.subscriptions.size > 1) throw new Error(`${store.subscriptions.size} subscriptions`);
  return one;
}

describe("listen", () => {
  test("listen: what others say comes over one stream, once, in order, and is acknowledged", async () => {
    const [a, b] = two();
    const at = await listener(b);
    expect(grpc.streams()).toBe(1);
    await say(a, "one", "two");
    await say(a, "three");
    await until(() => only().acked.length === 3);
    expect(at.got).toEqual(["one", "two", "three"]);
    await at.stop();
    await until(() => grpc.streams() === 0);
    expect(only().out.size + only().waiting.length).toBe(0);
  });

  test("listen: what was said while nobody listened comes first", async () => {
    const [a, b] = two();
    await (await listener(b)).stop();
    await say(a, "meanwhile");
    const at = await listener(b);
    await until(() => only().acked.length === 1);
    expect(at.got).toEqual(["meanwhile"]);
    await at.stop();
  });

  test("listen: one's own words and those about another folder are acknowledged unheard; a Python tool's are in doubt", async () => {
    const [a, b] = two();
    const other = pubsubPlace({ drive, pubsub }, base);
    const at = await listener(b);
    await say(b, "mine");
    await say(other, "other folder");
    store.publish(TOPIC, [{ data: Buffer.from("python").toString("base64"), attributes: { machine: "old" } }]);
    await say(a, "hello");
    await until(() => only().acked.length === 4);
    expect(at.got).toEqual(["python ?", "hello"]);
    await at.stop();
  });

  test("listen: what could not be kept ends the listening and comes again, and so does what came after it", async () => {
    const [a, b] = two();
    const full = new Error("no space left on device");
    const at = await listener(b, ({ data }) => {
      if (data === "two") throw full;
    });
    await say(a, "one", "two", "three");
    expect(await at.ended.catch((error: unknown) => error)).toBe(full);
    expect(at.got).toEqual(["one", "two"]);
    const again = await listener(b);
    await until(() => only().acked.length === 3);
    expect(again.got).toEqual(["two", "three"]);
    await again.stop();
  });

  test("listen: a server that goes away, a subscription that is removed and rights that are taken end it with what to do", async () => {
    const [a, b] = two();
    const trouble = async (work: () => unknown): Promise<BackendError> => {
      const at = await listener(b);
      await work();
      const error = await at.ended.catch((reason: unknown) => reason);
      if (!(error instanceof BackendError)) throw new Error(`not a BackendError: ${error}`);
      return error;
    };
    const away = await trouble(() => pubsub.goDown());
    expect(away.class).toBe("TRANSIENT");
    const unreachable = await listener(b).then(({ ended }) => ended.catch((error: unknown) => error));
    expect(unreachable).toMatchObject({ class: "TRANSIENT", message: expect.stringContaining("cannot be reached") });
    await pubsub.comeBack();
    expect((await trouble(() => grpc.endStreams(14, "closing"))).class).toBe("TRANSIENT");
    const forbidden = await trouble(() => grpc.endStreams(7, "User not authorized."));
    expect([forbidden.class, forbidden.hint]).toEqual(["PERMISSION", expect.stringContaining("Pub/Sub Editor")]);
    const removed = await trouble(() => {
      store.subscriptions.clear();
      grpc.endStreams(5, "Resource not found");
    });
    expect(removed.message).toContain("was removed");
    const back = await listener(b);
    await say(a, "again");
    await until(() => back.got.length === 1);
    await back.stop();
  });

  test("listen: a topic that is missing says who makes it", async () => {
    store.topics.clear();
    const at = await listener(two()[1]);
    expect(await at.ended.catch((error: unknown) => error)).toMatchObject({
      hint: "Check gcp_project_id and pubsub_topic_id, then run claude-mirror auth: it makes the topic.",
    });
  });
});
