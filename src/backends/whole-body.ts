import { failing, wholeOf } from "../lib/streams.ts";
import { BackendError } from "./errors.ts";

export interface WholeBodyOptions {
  readonly path: string;
  /** Bytes that have to come. */
  readonly due: number;
  /** Turns what the stream threw into what a backend may throw. */
  readonly explain: (error: unknown) => unknown;
}

/** The same bytes, failing as a BackendError where they are not as many as they should be. */
export function wholeBody(body: ReadableStream<Uint8Array>, options: WholeBodyOptions): ReadableStream<Uint8Array> {
  const { path, due, explain } = options;
  let seen = 0;
  const wrong = () =>
    new BackendError(`Could not read "${path}": ${seen} bytes came instead of ${due}`, { class: "TRANSIENT" });
  const whole = wholeOf(body);
  if (whole !== undefined) {
    seen = whole.length;
    return seen === due ? body : failing(explain(wrong()));
  }
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          if (!done) {
            seen += value.length;
            if (seen > due) throw wrong();
            return controller.enqueue(value);
          }
          if (seen !== due) throw wrong();
          controller.close();
        } catch (error) {
          await reader.cancel().catch(() => {});
          controller.error(explain(error));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
