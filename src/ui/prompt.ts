import { createInterface } from "node:readline";
import { isCancel, password, select, text } from "@clack/prompts";
import { Interrupted } from "../lib/errors.ts";

/** Where a prompt reads and draws. */
export interface PromptStreams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
}

export interface PromptChoice<T extends string> {
  readonly value: T;
  readonly label: string;
  readonly hint?: string;
}

/** Asks for one line, white space around it cut off. Ctrl-C, Ctrl-D and the signal are Interrupted. */
export function askLine(message: string, { input, output, signal }: PromptStreams): Promise<string> {
  return new Promise((resolve, reject) => {
    const lines = createInterface({ input, output, terminal: true, historySize: 0 });
    let answered = false;
    const stop = () => {
      lines.close();
      output.write("\n");
      reject(signal.aborted ? signal.reason : new Interrupted());
    };
    const settle = (answer: string) => {
      answered = true;
      signal.removeEventListener("abort", stop);
      lines.close();
      resolve(answer.trim());
    };
    lines.on("SIGINT", stop);
    lines.on("close", () => {
      signal.removeEventListener("abort", stop);
      if (!answered) reject(new Interrupted());
    });
    signal.addEventListener("abort", stop, { once: true });
    lines.question(message, settle);
  });
}

interface Checked {
  readonly message: string;
  /** What is wrong with an answer; it is asked again until there is nothing. */
  readonly check?: ((answer: string) => string | undefined) | undefined;
}

/** A line with a value offered. */
export function askText(
  { message, initial = "", check }: Checked & { readonly initial?: string },
  streams: PromptStreams,
): Promise<string> {
  const validate = (typed: string | undefined) => check?.(typed || initial);
  return untilLeft(streams, (own) => text({ message, placeholder: initial, defaultValue: initial, validate, ...own }));
}

/** A line that is not shown. */
export async function askPassword({ message, check }: Checked, streams: PromptStreams): Promise<string> {
  const validate = (typed: string | undefined) => check?.(typed ?? "");
  return (await untilLeft(streams, (own) => password({ message, validate, ...own }))) ?? "";
}

/** One out of a list, by the arrow keys. */
export async function askChoice<T extends string>(
  question: { readonly message: string; readonly choices: readonly PromptChoice<T>[]; readonly initial?: T },
  streams: PromptStreams,
): Promise<T> {
  const options = question.choices.map((choice) => ({ ...choice, value: choice.value as string }));
  const first = question.initial === undefined ? {} : { initialValue: question.initial as string };
  return (await untilLeft(streams, (own) =>
    select<string>({ message: question.message, options, ...first, ...own }),
  )) as T;
}

type Clack = Readonly<{
  input: import("node:stream").Readable;
  output: import("node:stream").Writable;
  signal: AbortSignal;
}>;

/** Ctrl-D and the end of the input leave a question as Ctrl-C does: the library itself would wait, or spin. */
async function untilLeft(
  { input, output, signal }: PromptStreams,
  ask: (own: Clack) => Promise<string | symbol>,
): Promise<string> {
  const left = new AbortController();
  const leave = () => left.abort();
  const onKey = (_text: string | undefined, key: { readonly ctrl?: boolean; readonly name?: string } | undefined) => {
    if (key?.ctrl && key.name === "d") leave();
  };
  const ends = ["end", "close", "error"] as const;
  input.prependListener("keypress", onKey);
  for (const end of ends) input.on(end, leave);
  try {
    const answer = await ask({
      input: input as Clack["input"],
      output: output as Clack["output"],
      signal: AbortSignal.any([signal, left.signal]),
    });
    if (isCancel(answer)) throw new Interrupted();
    return answer as string;
  } finally {
    input.off("keypress", onKey);
    for (const end of ends) input.off(end, leave);
  }
}
