import { afterAll, expect, test } from "bun:test";
import { PubSub } from "@google-cloud/pubsub";
import { startFakePubsub } from "../../fakes/pubsub/server.ts";
import { until } from "../../support/until.ts";

const fake = await startFakePubsub({ userOf: () => "owner@example.com" });
const clients: PubSub[] = [];
const ONE_STREAM = { streamingOptions: { maxStreams: 1 } };
afterAll(async () => {
  for (const one of clients) await one.close();
  await fake.stop();
});

function client(): PubSub {
  // Else it looks for credentials of its own on this machine.
  const auth = { getClient: async () => undefined, getUniverseDomain: async () => "googleapis.com" };
  const options = { projectId: "team-project", apiEndpoint: fake.origin, emulatorMode: true, auth };
  const made = new PubSub(options as object);
  clients.push(made);
  return made;
}

test("fake: the official client makes topic and subscription, publishes, and is handed everything once", async () => {
  const [topic] = await client().createTopic("letters");
  const [subscription] = await client().topic("letters").createSubscription("reader");
  await topic.publishMessage({ data: Buffer.from("before"), attributes: { from: "a" } });
  const got: string[] = [];
  subscription.on("message", (message) => {
    got.push(`${message.attributes["from"]} ${message.data}`);
    message.ack();
  });
  await until(() => got.length === 1);
  await topic.publishMessage({ data: Buffer.from("after"), attributes: { from: "b" } });
  const kept = fake.store.subscription("projects/team-project/subscriptions/reader");
  await until(() => kept.acked.length === 2);
  expect(got).toEqual(["a before", "b after"]);
  expect(kept.waiting.length + kept.out.size).toBe(0);
  await subscription.close();
});

test("fake: what is refused, or had by a stream that ends, is delivered again", async () => {
  const [topic] = await client().createTopic("again");
  await client().topic("again").createSubscription("again-reader");
  const kept = fake.store.subscription("projects/team-project/subscriptions/again-reader");
  await topic.publishMessage({ data: Buffer.from("one") });
  const first = client().subscription("again-reader", ONE_STREAM);
  let tries = 0;
  first.on("message", (message) => {
    if (++tries === 1) message.nack();
  });
  await until(() => tries === 2);
  expect([kept.acked.length, kept.out.size]).toEqual([0, 1]);
  await first.close();
  const second = client().subscription("again-reader", ONE_STREAM);
  second.on("message", (message) => message.ack());
  await until(() => kept.acked.length === 1);
  await second.close();
});

test("fake: a stream on a subscription that is not there ends with NOT_FOUND", async () => {
  const gone = client().subscription("nowhere", ONE_STREAM);
  const trouble = Promise.withResolvers<number>();
  gone.on("error", (error) => trouble.resolve(error.code));
  gone.on("message", () => undefined);
  expect(await trouble.promise).toBe(5);
});

test("fake: a server that restarts is found again, and has what was published", async () => {
  const [topic] = await client().createTopic("restart");
  await client().topic("restart").createSubscription("restart-reader");
  const subscription = client().subscription("restart-reader", ONE_STREAM);
  const got: string[] = [];
  subscription.on("message", (message) => {
    got.push(String(message.data));
    message.ack();
  });
  await until(() => fake.grpc.streams() === 1);
  await fake.goDown();
  await until(() => fake.grpc.streams() === 0);
  await fake.comeBack();
  await until(() => fake.grpc.streams() === 1);
  await topic.publishMessage({ data: Buffer.from("hello") });
  await until(() => got.length === 1);
  await subscription.close();
});
