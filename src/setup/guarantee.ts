import type { GuardLevel } from "../backends/types.ts";

/** What a guard level means to a person. */
export function guaranteeText(guard: GuardLevel): string {
  switch (guard) {
    case "native":
      return "the remote itself refuses to overwrite a change that another machine made meanwhile";
    case "lock":
      return "files are locked while they are replaced, so that two machines do not overwrite each other";
    case "look":
      return "changes are looked for just before each write; two machines writing one file at the same moment can overwrite each other";
  }
}
