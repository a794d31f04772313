/** Waits until it holds; throws with `explain` when it does not within half a minute. */
export async function until(holds: () => boolean, explain: () => string = () => "no reason known"): Promise<void> {
  const start = performance.now();
  while (!holds()) {
    if (performance.now() - start > 30_000) throw new Error(`it did not happen: ${explain()}`);
    await Bun.sleep(5);
  }
}
