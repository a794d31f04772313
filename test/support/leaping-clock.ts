import { type Clock, systemClock } from "../../src/lib/clock.ts";

/** A clock that leaps over every wait, for all that wait at once. `slept` tells the waits, milliseconds. */
export function leapingClock(): Clock & { readonly slept: readonly number[] } {
  const slept: number[] = [];
  let leapt = 0;
  const now = () => systemClock.now() + leapt;
  return {
    slept,
    now,
    async sleep(ms, signal) {
      slept.push(ms);
      const end = now() + ms;
      await systemClock.sleep(0, signal);
      leapt += Math.max(0, end - now());
    },
  };
}
