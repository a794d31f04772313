import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { ownMachine } from "../support/own-machine.ts";
import { tempFolder } from "../support/temp.ts";

const posts: { readonly path: string; readonly body: { text: string; blocks: unknown[]; event?: string } }[] = [];
let status = 200;
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch(request) {
    posts.push({ path: new URL(request.url).pathname, body: JSON.parse(await request.text()) });
    return new Response("no_service", { status });
  },
});
afterAll(() => server.stop(true));

test("push: Slack and a webhook are told what was done; when they cannot be, the push stands and no address is shown", async () => {
  const slack = "https://hooks.slack.com/services/T01/B01/verysecret";
  const machine = await ownMachine(
    "a",
    { settings: { backend: "local", local_folder: tempFolder("mirror") }, token: undefined },
    {
      settings: {
        slack_enabled: true,
        slack_webhook_url: slack,
        webhook_enabled: true,
        webhook_routes: [{ webhook_url: "https://example.com/hook", on: ["delete"] }],
      },
    },
  );
  const origin = `http://127.0.0.1:${server.port}`;
  const env = { CLAUDE_MIRROR_ENDPOINT_SLACK_NOTIFY: origin, CLAUDE_MIRROR_ENDPOINT_WEBHOOK_NOTIFY: origin };
  machine.write("CLAUDE.md", "# one\n");
  machine.write("memory/notes.md", "- a\n");
  expect((await machine.run(["push"], { env })).code).toBe(0);
  expect(posts.map(({ path }) => path)).toEqual(["/services/T01/B01/verysecret"]);
  expect(posts[0]?.body.text).toBe("a@a pushed 2 files in project: CLAUDE.md, memory/notes.md");
  expect(posts[0]?.body.blocks).toHaveLength(3);
  expect((await machine.run(["push"], { env })).code).toBe(0);
  expect((await machine.run(["push", "--dry-run"], { env })).code).toBe(0);
  expect(posts).toHaveLength(1);
  machine.remove("memory/notes.md");
  expect((await machine.run(["push"], { env })).code).toBe(0);
  expect(posts.map(({ path }) => path).sort()).toEqual([
    "/hook",
    "/services/T01/B01/verysecret",
    "/services/T01/B01/verysecret",
  ]);
  expect(posts.find(({ path }) => path === "/hook")?.body.event).toBe("delete");
  status = 404;
  machine.write("CLAUDE.md", "# two\n");
  const untold = await machine.run(["push"], { env });
  expect(untold.code).toBe(0);
  expect(untold.stdout + untold.stderr).toContain("slack was not told: it answered 404 (no_service)");
  expect(untold.stdout + untold.stderr).not.toContain("verysecret");
  expect((await Bun.file(join(machine.project, "CLAUDE.md")).text()).trim()).toBe("# two");
});
