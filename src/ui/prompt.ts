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

/** A line with a value offered. */
export async function askText(
  question: { readonly message: string; readonly initial?: string },
  streams: PromptStreams,
): Promise<string> {
  const initial = question.initial ?? "";
  return answerOf(
    await text({ message: question.message, placeholder: initial, defaultValue: initial, ...clackStreams(streams) }),
  );
}

/** A line that is not shown. */
export async function askPassword(question: { readonly message: string }, streams: PromptStreams): Promise<string> {
  return answerOf(await password({ message: question.message, ...clackStreams(streams) }));
}

/** One out of a list, by the arrow keys. */
export async function askChoice<T extends string>(
  question: { readonly message: string; readonly choices: readonly PromptChoice<T>[]; readonly initial?: T },
  streams: PromptStreams,
): Promise<T> {
  const options = question.choices.map((choice) => ({ ...choice, value: choice.value as string }));
  const first = question.initial === undefined ? {} : { initialValue: question.initial as string };
  return answerOf(
    await select<string>({ message: question.message, options, ...first, ...clackStreams(streams) }),
  ) as T;
}

function clackStreams({ input, output, signal }: PromptStreams) {
  return {
    input: input as import("node:stream").Readable,
    output: output as import("node:stream").Writable,
    signal,
  };
}

function answerOf(answer: string | symbol): string {
  if (isCancel(answer)) throw new Interrupted();
  return answer as string;
}
