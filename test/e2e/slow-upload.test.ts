import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { APACHE_USER, startApache } from "../support/apache.ts";
import { ownMachine } from "../support/own-machine.ts";
import { servedPlace } from "../support/remote-place.ts";

test("push: an upload that takes seconds on a server whose Date is the time the request came in has its snapshot and log entry", async () => {
  const server = await startApache({ auth: "basic" });
  try {
    const place = servedPlace(server, "slow", { token: { ...APACHE_USER } });
    const machine = await ownMachine("slow", place, { settings: { max_upload_kbps: 2048 } });
    machine.write("large.bin", randomBytes(900 * 1024));
    const pushed = (await machine.run(["push", "--json"])).json;
    expect(pushed.uploaded).toEqual(["large.bin"]);
    expect(pushed.snapshot).not.toBeNull();
    expect((await machine.run(["log", "--json"])).rows).toHaveLength(1);
    const { summary } = (await machine.run(["status", "--json"])).json;
    expect(summary).toMatchObject({ in_sync: 1, conflict: 0, local_ahead: 0 });
  } finally {
    await server.stop();
  }
});
