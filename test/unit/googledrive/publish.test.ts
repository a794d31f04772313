import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { ChannelMessage } from "../../../src/backends/channel.ts";
import { tellMachines } from "../../../src/project/tell.ts";
import { startFakeDrive } from "../../fakes/googledrive/server.ts";
import { startFakePubsub } from "../../fakes/pubsub/server.ts";
import { type DriveLab, driveLab } from "../../support/googledrive-lab.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const drive = await startFakeDrive();
const pubsub = await startFakePubsub({ userOf: (token) => drive.oauth.userOf(token) });
afterAll(async () => {
  await drive.stop();
  await pubsub.stop();
});
const TOPIC = "projects/team-project/topics/notes";
const env = { CLAUDE_MIRROR_ENDPOINT_GOOGLEDRIVE_NOTIFY: pubsub.origin, USER: "alice" };
beforeEach(() => {
  pubsub.store.topics.clear();
  pubsub.store.createTopic(TOPIC);
  pubsub.store.published.length = 0;
  pubsub.denied.clear();
  pubsub.enabled = true;
  pubsub.endFaults();
  pubsub.reset();
});

async function lab(): Promise<DriveLab> {
  const made = await driveLab(drive);
  const { code, stderr } = await made.run(["init", "--gcp-project-id", "team-project", "--pubsub-topic-id", "notes"]);
  if (code !== 0) throw new Error(stderr);
  return made;
}

function published(): { readonly data: string; readonly attributes: Readonly<Record<string, string>> }[] {
  return pubsub.store.published.map(({ data, attributes }) => ({
    data: Buffer.from(data, "base64").toString(),
    attributes,
  }));
}

describe("publish", () => {
  test("publish: push, sync and delete send the event of the log in one request, as the Python tool reads it", async () => {
    const one = await lab();
    one.write("notes/ä.md", "a\n");
    expect((await one.run(["push"], { env })).code).toBe(0);
    expect(pubsub.count()).toBe(1);
    const [first] = published();
    const sent = JSON.parse(first?.data ?? "") as Record<string, string>;
    const { machine = "", timestamp = "" } = sent;
    // What `json.dumps` makes of the six keys, in their order (reference 1.7, 1.10).
    expect(first?.data).toBe(
      `{"machine": "${machine}", "user": "alice", "timestamp": "${timestamp}", "files": ["notes/\\u00e4.md"], "action": "push", "project": "notes"}`,
    );
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$/);
    expect(first?.attributes).toEqual({
      machine,
      user: "alice",
      project: "notes",
      machine_id: expect.stringMatching(/^[0-9a-f]{16}$/),
      remote: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    const [event] = (await one.json(["log"], { env })) as unknown as object[];
    expect(event).toMatchObject({ timestamp, action: "push", files: ["notes/ä.md"] });

    expect((await one.run(["push"], { env })).code).toBe(0);
    expect(pubsub.count()).toBe(1);
    one.write("more.md", "b\n");
    rmSync(join(one.project, "notes"), { recursive: true });
    expect((await one.run(["sync"], { env })).code).toBe(0);
    expect(pubsub.count()).toBe(2);
    expect((await one.run(["delete", "more.md"], { env })).code).toBe(0);
    const actions = published().map(({ data }) => (JSON.parse(data) as { action: string }).action);
    expect(actions).toEqual(["push", "sync", "delete", "delete"]);
    expect(new Set(published().map(({ attributes }) => attributes["machine_id"])).size).toBe(1);
  });

  test("publish: the push stands and says the next step when the topic, the right or the API is missing", async () => {
    const one = await lab();
    const push = async (content: string) => {
      one.write("a.md", content);
      const { code, stdout, stderr } = await one.run(["push"], { env });
      expect(code).toBe(0);
      return stdout + stderr;
    };
    pubsub.store.topics.clear();
    expect(await push("1")).toContain(
      'Could not use the topic "notes": the Cloud project "team-project" has none of this name. Check gcp_project_id and pubsub_topic_id, then run claude-mirror auth: it makes the topic.',
    );
    pubsub.store.createTopic(TOPIC);
    pubsub.denied.add("pubsub.topics.publish");
    expect(await push("2")).toContain(
      `"${one.user}" has no right to do that in the Cloud project "team-project". Have an owner of the Cloud project grant ${one.user} the role Pub/Sub Editor: https://console.cloud.google.com/iam-admin/iam?project=team-project`,
    );
    pubsub.enabled = false;
    expect(await push("3")).toContain(
      "https://console.cloud.google.com/apis/library/pubsub.googleapis.com?project=team-project",
    );
    pubsub.enabled = true;
    pubsub.denied.clear();
    expect(await push("4")).not.toContain("not told");
    expect(published()).toHaveLength(1);
    expect(await one.json(["log"], { env })).toHaveLength(4);
  });

  test("publish: an access token that ended is renewed, and a project without a topic asks nothing", async () => {
    const one = await lab();
    one.write("a.md", "1");
    await one.run(["push"], { env });
    pubsub.fault("pubsub.topics.publish", { reply: { status: 401, body: "{}" } });
    one.write("a.md", "2");
    expect((await one.run(["push"], { env })).stderr).not.toContain("not told");
    expect(published()).toHaveLength(2);
    const plain = await driveLab(drive);
    pubsub.reset();
    plain.write("a.md", "1");
    expect((await plain.run(["push"], { env })).code).toBe(0);
    expect(pubsub.count()).toBe(0);
  });
});

test("tellMachines: a service that does not answer is given up after 3 s, and what was begun is ended", async () => {
  const clock = virtualClock();
  const sent: ChannelMessage[] = [];
  let ended = false;
  const told = tellMachines(
    {
      clock,
      signal: new AbortController().signal,
      openChannel: async () => ({
        publish: (messages, { signal } = {}) => {
          sent.push(...messages);
          return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
        },
        listen: () => Promise.reject(new Error("nobody asked for that")),
        close() {
          ended = true;
        },
      }),
    },
    [{ machine: "m", user: "u", timestamp: "t", files: [], action: "push", project: "p" }],
  );
  await clock.advance(3_000);
  expect(await told).toEqual([
    "The other machines were not told at once, they find out when they next look: it took more than 3 s",
  ]);
  await clock.advance(0);
  expect(sent).toHaveLength(1);
  expect(ended).toBe(true);
});
