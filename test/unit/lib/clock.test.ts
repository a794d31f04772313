import { expect, test } from "bun:test";
import { pythonIso, snapshotName, snapshotTime, systemClock } from "../../../src/lib/clock.ts";

test("systemClock.now: agrees with the system and goes on within a millisecond", () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(60);
  const seen = new Set<number>();
  for (let i = 0; i < 200; i++) seen.add(systemClock.now() % 1);
  expect(seen.size).toBeGreaterThan(1);
});

test("systemClock.now: follows when the machine's clock moves", () => {
  const real = Date.now;
  try {
    Date.now = () => real() + 3_600_000;
    expect(systemClock.now() - real()).toBeGreaterThan(3_599_000);
  } finally {
    Date.now = real;
  }
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(60);
});

test("systemClock.sleep: rejects with the signal's reason, before and during", async () => {
  const control = new AbortController();
  const sleeping = systemClock.sleep(60_000, control.signal);
  control.abort(new Error("enough"));
  await expect(sleeping).rejects.toThrow("enough");
  await expect(systemClock.sleep(0, control.signal)).rejects.toThrow("enough");
  await systemClock.sleep(0);
});

test("systemClock.sleep: a delay beyond the timers' range does not end at once", async () => {
  const control = new AbortController();
  const order: string[] = [];
  const long = systemClock.sleep(2 ** 40, control.signal).then(
    () => order.push("over"),
    () => order.push("stopped"),
  );
  await systemClock.sleep(5);
  control.abort();
  await long;
  expect(order).toEqual(["stopped"]);
});

test("pythonIso: spells times as datetime.isoformat does", () => {
  expect(pythonIso(Date.UTC(2026, 10, 20, 17, 8, 28) + 677.552)).toBe("2026-11-20T17:08:28.677552+00:00");
  expect(pythonIso(Date.UTC(2026, 10, 20, 17, 8, 28) + 0.001)).toBe("2026-11-20T17:08:28.000001+00:00");
  expect(pythonIso(Date.UTC(2026, 10, 20, 17, 8, 28))).toBe("2026-11-20T17:08:28+00:00");
  expect(pythonIso(Date.UTC(2026, 10, 20, 17, 8, 28) + 999.9999)).toBe("2026-11-20T17:08:29+00:00");
});

test("snapshotName and snapshotTime: are each other's inverse on whole seconds", () => {
  const time = Date.UTC(2026, 10, 20, 17, 40, 26);
  expect(snapshotName(time + 999)).toBe("2026-11-20T17-40-26Z");
  expect(snapshotTime("2026-11-20T17-40-26Z")).toBe(time);
});

test("snapshotTime: other text and days that do not exist are no snapshot names", () => {
  for (const name of [
    "",
    "2026-11-20",
    "2026-11-20T17:40:26Z",
    "2026-02-30T00-00-00Z",
    "2026-13-01T00-00-00Z",
    "2026-01-01T24-00-00Z",
    "x2026-11-20T17-40-26Z",
  ]) {
    expect(snapshotTime(name)).toBeUndefined();
  }
});
