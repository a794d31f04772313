/** Where the command's name stands among the words of a command line: the first that is no flag and no flag's value; or -1. */
export function commandAt(words: readonly string[]): number {
  return words.findIndex((word, at) => !word.startsWith("-") && words[at - 1] !== "--profile");
}
