import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { startFakeDrive } from "../../fakes/googledrive/server.ts";
import { startFakePubsub } from "../../fakes/pubsub/server.ts";
import { OWNER } from "../../support/googledrive.ts";
import { driveLab } from "../../support/googledrive-lab.ts";
import { CLOUD_PROJECT, pubsubPlace, TOPIC, TOPIC_ID } from "../../support/pubsub-place.ts";
import { tempFolder } from "../../support/temp.ts";

const drive = await startFakeDrive();
const pubsub = await startFakePubsub({ userOf: (token) => drive.oauth.userOf(token) });
afterAll(async () => {
  await drive.stop();
  await pubsub.stop();
});
const base = tempFolder("pubsub-setup");
const { store } = pubsub;
beforeEach(() => {
  store.topics.clear();
  store.subscriptions.clear();
  pubsub.denied.clear();
  pubsub.enabled = true;
  pubsub.reset();
});
const place = (options: Parameters<typeof pubsubPlace>[2] = {}) => pubsubPlace({ drive, pubsub }, base, options);
const subscriptions = () => [...store.subscriptions.keys()].map((name) => name.slice(name.lastIndexOf("/") + 1));
const IAM = `https://console.cloud.google.com/iam-admin/iam?project=${CLOUD_PROJECT}`;

describe("checkChannel", () => {
  test("checkChannel: what is missing is made once; a look makes nothing and says who makes it", async () => {
    const one = place();
    expect(await one.check(false)).toMatchObject({
      "Pub/Sub topic": { state: "warning", hint: "Run claude-mirror auth: it makes the topic." },
    });
    expect([...store.topics]).toEqual([]);
    const made = await one.check(true);
    expect(Object.values(made).map(({ state, detail }) => [state, detail])).toEqual([
      ["ok", `${TOPIC_ID} in the Cloud project ${CLOUD_PROJECT}, just made`],
      ["ok", "to publish and to subscribe"],
      ["ok", expect.stringMatching(/^claude-mirror-notes-workstation-[0-9a-f]{8}, just made$/)],
    ]);
    expect(
      [...store.subscriptions.values()].map(({ topic, settings }) => [topic, settings["ackDeadlineSeconds"]]),
    ).toEqual([[TOPIC, 60]]);
    const before = subscriptions();
    for (const make of [false, true])
      expect(Object.values(await one.check(make)).map(({ detail }) => detail)).toEqual([
        `${TOPIC_ID} in the Cloud project ${CLOUD_PROJECT}`,
        "to publish and to subscribe",
        before[0] ?? "",
      ]);
    expect(subscriptions()).toEqual(before);
  });

  test("case 1.10: machines of one name have subscriptions of their own, and any name gives one that is valid", async () => {
    const names = ["Desk.top", "Desk.top", "Ana's Büro 2", "x".repeat(300)];
    for (const machineName of names) {
      const found = await place({ machineName }).check(true);
      expect(found["Pub/Sub subscription"]?.state).toBe("ok");
    }
    expect(subscriptions().map((name) => name.slice(0, -8))).toEqual([
      `${TOPIC_ID}-desk-top-`,
      `${TOPIC_ID}-desk-top-`,
      `${TOPIC_ID}-ana-s-b-ro-2-`,
      `${TOPIC_ID}-${"x".repeat(255 - TOPIC_ID.length - 10)}-`,
    ]);
    expect(new Set(subscriptions()).size).toBe(4);
  });

  test("checkChannel: a subscription of the Python tool's name is kept", async () => {
    store.createTopic(TOPIC);
    store.createSubscription(`projects/${CLOUD_PROJECT}/subscriptions/${TOPIC_ID}-my-mac-local`, { topic: TOPIC });
    const found = await place({ machineName: "My Mac.local" }).check(true);
    expect(found["Pub/Sub subscription"]?.detail).toBe(`${TOPIC_ID}-my-mac-local`);
    expect(subscriptions()).toHaveLength(1);
  });

  test("checkChannel: a subscription whose topic was deleted is told and made anew", async () => {
    const one = place();
    await one.check(true);
    store.deleteTopic(TOPIC);
    store.createTopic(TOPIC);
    expect((await one.check(false))["Pub/Sub subscription"]).toMatchObject({
      state: "warning",
      detail: expect.stringContaining("was deleted"),
    });
    expect((await one.check(true))["Pub/Sub subscription"]?.detail).toContain("just made");
    expect([...store.subscriptions.values()].map(({ topic }) => topic)).toEqual([TOPIC]);
  });

  test.each([
    ["pubsub.topics.create", "Pub/Sub topic", IAM],
    ["pubsub.topics.get", "Pub/Sub topic", IAM],
    ["pubsub.topics.publish", "Pub/Sub rights", IAM],
    ["pubsub.subscriptions.create", "Pub/Sub subscription", IAM],
  ])("checkChannel: without the right %s the step is to be granted Pub/Sub Editor", async (permission, name, link) => {
    pubsub.denied.add(permission);
    if (permission === "pubsub.topics.get")
      for (const one of ["publish", "attachSubscription"]) pubsub.denied.add(`pubsub.topics.${one}`);
    const found = (await place().check(true))[name];
    expect(found?.state).toBe("warning");
    expect(found?.hint).toBe(`Have an owner of the Cloud project grant ${OWNER} the role Pub/Sub Editor: ${link}`);
  });

  test("checkChannel: who may only publish and subscribe is well", async () => {
    store.createTopic(TOPIC);
    pubsub.denied.add("pubsub.topics.get");
    expect(Object.values(await place().check(true)).map(({ state }) => state)).toEqual(["ok", "ok", "ok"]);
  });

  test("checkChannel: an API that is off, a project that is not known and a consent without Pub/Sub are told apart", async () => {
    pubsub.enabled = false;
    expect((await place().check(true))["Pub/Sub topic"]?.hint).toContain("/apis/library/pubsub.googleapis.com");
    pubsub.enabled = true;
    const elsewhere = await place({ config: { gcpProjectId: "no-such-project" } }).check(true);
    expect(elsewhere["Pub/Sub topic"]?.hint).toContain("Check gcp_project_id");
    pubsub.fault("pubsub.topics.get", {
      reply: {
        status: 403,
        body: JSON.stringify({ error: { code: 403, details: [{ reason: "ACCESS_TOKEN_SCOPE_INSUFFICIENT" }] } }),
      },
      times: 2,
    });
    pubsub.fault("testIamPermissions", {
      reply: {
        status: 403,
        body: JSON.stringify({ error: { code: 403, details: [{ reason: "ACCESS_TOKEN_SCOPE_INSUFFICIENT" }] } }),
      },
    });
    expect((await place().check(true))["Pub/Sub topic"]).toMatchObject({
      detail: expect.stringContaining("does not cover Pub/Sub"),
      hint: "Run claude-mirror auth and tick every box of the consent page.",
    });
    pubsub.endFaults();
  });
});

test("auth: makes topic and subscription and says so; --check, --dry-run and doctor only look; Drive works without", async () => {
  const lab = await driveLab(drive, { signedIn: "by auth" });
  await lab.run(["init", "--gcp-project-id", CLOUD_PROJECT, "--pubsub-topic-id", TOPIC_ID]);
  const env = { CLAUDE_MIRROR_ENDPOINT_GOOGLEDRIVE_NOTIFY: pubsub.origin, BROWSER: join(lab.home, "browser") };
  for (const words of [["auth", "--check"], ["auth", "--dry-run"], ["doctor"]]) {
    const looked = await lab.run(words, { env });
    expect([looked.code, looked.stdout]).toEqual([
      0,
      expect.stringContaining("Run claude-mirror auth: it makes the topic."),
    ]);
  }
  expect(store.topics.size + store.subscriptions.size).toBe(0);
  const signed = await lab.run(["auth"], { env });
  expect(signed.code).toBe(0);
  expect(signed.stdout).toContain(`Pub/Sub topic: ${TOPIC_ID} in the Cloud project ${CLOUD_PROJECT}, just made.`);
  expect(subscriptions()).toEqual([expect.stringMatching(/^claude-mirror-notes-.+-[0-9a-f]{8}$/)]);
  const well = await lab.run(["doctor"], { env });
  expect(well.stdout).toContain(subscriptions()[0] ?? "none");

  pubsub.enabled = false;
  const told = await lab.run(["auth"], { env });
  expect([told.code, told.stdout]).toEqual([0, expect.stringContaining("pubsub.googleapis.com?project=team-project")]);
  writeFileSync(join(lab.project, "a.md"), "a");
  expect((await lab.run(["push"], { env })).code).toBe(0);
});

test("doctor: a topic without its Cloud project is named", async () => {
  const lab = await driveLab(drive);
  await lab.run(["init", "--pubsub-topic-id", TOPIC_ID]);
  const { code, stdout } = await lab.run(["doctor"]);
  expect([code, stdout]).toEqual([0, expect.stringContaining("gcp_project_id")]);
});
