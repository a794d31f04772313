import { expect, test } from "bun:test";
import { type AccessOptions, type AccessToken, openAccess } from "../../../src/backends/access-token.ts";
import { BackendError } from "../../../src/backends/errors.ts";
import { memoryTokens } from "../../support/backend-config.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

const HOUR = 3_600_000;

/** Machines with one token file, on one clock. */
function lab() {
  const clock = virtualClock();
  const tokens = memoryTokens();
  const asked: boolean[] = [];
  let written: AccessToken | undefined;
  let fault: Error | undefined;
  const found: string[] = [];
  const machine = (name = "one", more: Partial<AccessOptions> = {}) =>
    openAccess({
      tokens,
      clock,
      stored: () => written,
      async renew({ refused }) {
        asked.push(refused);
        await Promise.resolve();
        if (fault) throw fault;
        written = { token: `token ${asked.length}`, endsMs: clock.now() + HOUR };
        return written;
      },
      onFound: () => void found.push(name),
      ...more,
    });
  return {
    clock,
    machine,
    asked,
    found,
    fail: (error: Error | undefined) => {
      fault = error;
    },
  };
}

const LOST = new BackendError("cannot be reached", { class: "TRANSIENT" });

test("openAccess: many who need a token at once share one renewal, and so do two processes", async () => {
  const it = lab();
  const [one, two] = [it.machine("one"), it.machine("two")];
  const given = await Promise.all([one.token(), one.token(), two.token(), two.token(), one.token()]);
  expect(new Set(given)).toEqual(new Set(["token 1"]));
  expect(it.asked).toEqual([false]);
  expect(it.found).toEqual(["two"]);
  expect(await it.machine("three").token()).toBe("token 1");
  expect(it.asked).toHaveLength(1);
});

test("openAccess: a token is renewed five minutes before its end", async () => {
  const it = lab();
  const one = it.machine();
  await one.token();
  await it.clock.advance(HOUR - 301_000);
  expect(await one.token()).toBe("token 1");
  await it.clock.advance(2_000);
  expect(await one.token()).toBe("token 2");
});

test("openAccess: a vendor that cannot be reached is no failure while the token holds, and one after", async () => {
  const it = lab();
  const one = it.machine();
  await one.token();
  await it.clock.advance(HOUR - 60_000);
  it.fail(LOST);
  expect(await one.token()).toBe("token 1");
  await it.clock.advance(60_001);
  await expect(one.token()).rejects.toBe(LOST);
  it.fail(undefined);
  expect(await one.token()).toStartWith("token ");
});

test("openAccess: a sign-in that was taken back fails at once, whatever the token holds", async () => {
  const it = lab();
  const one = it.machine();
  await one.token();
  await it.clock.advance(HOUR - 60_000);
  const ended = new BackendError("the sign-in was taken back", { class: "AUTH" });
  it.fail(ended);
  await expect(one.token()).rejects.toBe(ended);
});

test("openAccess: a refused token is replaced by what another process has by now, else by a new one, once for all", async () => {
  const it = lab();
  const [one, two] = [it.machine("one"), it.machine("two")];
  await one.token();
  await two.token();
  const again = await Promise.all([one.renewed("token 1"), one.renewed("token 1"), one.renewed("token 1")]);
  expect(again).toEqual(["token 2", "token 2", "token 2"]);
  expect(it.asked).toEqual([false, true]);
  expect(await two.renewed("token 1")).toBe("token 2");
  expect(await one.renewed("token 1")).toBe("token 2");
  expect(it.asked).toHaveLength(2);
});

test("openAccess: probe asks the vendor although the token is good", async () => {
  const it = lab();
  const one = it.machine();
  await one.token();
  await one.probe();
  expect(it.asked).toHaveLength(2);
  expect(await one.token()).toBe("token 2");
});
