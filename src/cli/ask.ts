import { Interrupted, UsageError } from "../lib/errors.ts";
import type { Terminal } from "../ui/terminal.ts";
import type { Asker, Input, Question } from "./context.ts";

export interface AskerOptions {
  readonly input: Input;
  readonly err: Terminal;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Questions on the terminal, or refusals that name the flag. The prompts' code is loaded at the first question. */
export function openAsker({ input, err, json, signal }: AskerOptions): Asker {
  const possible = input.isTTY && err.isTTY && !json;
  // Opened by the first question: a stream costs as much as all of the command line.
  const streams = () => ({ input: input.stream, output: input.echo, signal });
  async function prompts({ message, flag }: Question) {
    signal.throwIfAborted();
    if (possible) return import("../ui/prompt.ts");
    const why = json ? "--json never asks" : "there is no terminal to ask at";
    throw new UsageError(`cannot ask "${firstLine(message)}": ${why}`, { hint: `Answer it with ${flag}.` });
  }
  return {
    possible,
    async confirm(question) {
      const { askLine } = await prompts(question);
      const initial = question.initial ?? false;
      const answer = await askLine(`${question.message} ${initial ? "[Y/n]" : "[y/N]"} `, streams());
      return answer === "" ? initial : /^y(es)?$/i.test(answer);
    },
    async typed(question) {
      const { askLine } = await prompts(question);
      return (await askLine(`${question.message} Type ${question.word} to go on: `, streams())) === question.word;
    },
    async text(question) {
      const own = question.signal === undefined ? signal : AbortSignal.any([signal, question.signal]);
      return (await prompts(question)).askText(question, { ...streams(), signal: own });
    },
    async password(question) {
      return (await prompts(question)).askPassword(question, streams());
    },
    async select(question) {
      return (await prompts(question)).askChoice(question, streams());
    },
    async key(question) {
      const { askLine } = await prompts(question);
      for (let tries = 0; tries < 20; tries++) {
        const typed = (await askLine(`${question.message} `, streams())).toLowerCase();
        const key = question.keys.find((known) => known === typed);
        if (key !== undefined) return key;
        err.line(`Please type one of ${question.keys.map((known) => known.toUpperCase()).join(", ")}.`);
      }
      throw new Interrupted("no answer after 20 tries");
    },
  };
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0] ?? "";
}
