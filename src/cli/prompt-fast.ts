import { promptState } from "../app-prompt.ts";
import { systemClock } from "../lib/clock.ts";
import { type Env, homeFrom } from "../lib/dirs.ts";
import { PROMPT_FORMATS, type PromptFormat, type PromptOptions, promptText } from "../ui/render/prompt.ts";

/**
 * What `prompt` prints, found without the shell that other commands run in; undefined where the words are not plainly
 * its own, or nobody says where the home folder is.
 */
export async function promptAtOnce(words: readonly string[], env: Env, cwd: string): Promise<string | undefined> {
  const options = plainOptions(words);
  const home = homeFrom(env);
  if (options === undefined || home === undefined) return undefined;
  const state = await promptState({ env, home, cwd, clock: systemClock });
  return state === undefined ? "" : promptText(state, options);
}

function plainOptions(words: readonly string[]): PromptOptions | undefined {
  let options: PromptOptions = { format: "symbols", prefix: "", suffix: "", quietWhenClean: false };
  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === "--quiet-when-clean") {
      options = { ...options, quietWhenClean: true };
      continue;
    }
    const [name, inline] = word.startsWith("--") && word.includes("=") ? split(word) : [word, undefined];
    const value = inline ?? rest.shift();
    if (value === undefined || (inline === undefined && value.startsWith("-"))) return undefined;
    if (name === "--prefix") options = { ...options, prefix: value };
    else if (name === "--suffix") options = { ...options, suffix: value };
    else if (name === "--format" && isFormat(value)) options = { ...options, format: value };
    else return undefined;
  }
  return options;
}

function split(word: string): [string, string] {
  const at = word.indexOf("=");
  return [word.slice(0, at), word.slice(at + 1)];
}

function isFormat(text: string): text is PromptFormat {
  return (PROMPT_FORMATS as readonly string[]).includes(text);
}
