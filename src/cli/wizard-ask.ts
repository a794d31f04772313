import { UsageError } from "../lib/errors.ts";
import type { InitRequest } from "../setup/model.ts";
import {
  type Accepted,
  accepted,
  offered,
  QUESTIONS,
  type WizardPlaces,
  type WizardQuestion,
} from "../setup/wizard.ts";
import { type Draft, draftOfRequest } from "../setup/wizard-draft.ts";
import { settingsAt } from "../setup/wizard-places.ts";
import { short } from "../ui/render/wizard.ts";
import type { Choice, CommandContext } from "./context.ts";

/** What the questions start from. */
export interface Known {
  /** Win over settings: flags, or the answers of an earlier round. */
  readonly first: Draft;
  /** Settings that the person has agreed to change. */
  readonly agreed: string | undefined;
}

export interface Answers {
  readonly draft: Draft;
  readonly agreed: string | undefined;
}

/** Asks all questions in turn; undefined when settings that exist are to stay as they are. */
export async function askAll(ctx: CommandContext, known: Known, places: WizardPlaces): Promise<Answers | undefined> {
  const { first } = known;
  let { agreed } = known;
  let settings = here(ctx, first, places);
  let draft: Draft = {};
  for (const question of QUESTIONS) {
    if (question.isAsked && !question.isAsked(draft)) continue;
    const answer = await askOne(ctx, question, { draft, known: { ...settings, ...first }, places });
    draft = { ...draft, [question.key]: answer };
    if (question.key !== "project" && question.key !== "config") continue;
    const config = draft.config ?? first.config;
    settings = settingsAt(ctx, { project: draft.project, config, newProject: places.newProject });
    const file = settings?.config;
    if (file === undefined || file === agreed) continue;
    if (places.newProject) throw setUpAlready(draft.project ?? "", file);
    const message = `This project is set up already in ${short(file, ctx.home)}. Change it (a copy is kept)?`;
    if (!(await ctx.ask.confirm({ message, flag: "the flags to change" }))) return undefined;
    agreed = file;
  }
  return { draft, agreed };
}

/** A clone makes a project, it changes none. */
export function setUpAlready(project: string, file: string): UsageError {
  return new UsageError(`cannot clone into "${project}": it is set up already in ${file}`, {
    hint: "Run claude-mirror pull there, or name another folder with --project.",
  });
}

export function firstKnown(request: InitRequest): Known {
  return { first: draftOfRequest(request), agreed: undefined };
}

/** The settings of the project that is most likely meant, for the question about the backend. */
function here(ctx: CommandContext, { project, config }: Draft, { newProject }: WizardPlaces): Draft | undefined {
  try {
    return settingsAt(ctx, { project, config, newProject });
  } catch {
    // What is wrong is told once the project is known.
    return undefined;
  }
}

interface Asking {
  readonly draft: Draft;
  readonly known: Draft;
  readonly places: WizardPlaces;
}

async function askOne(ctx: CommandContext, question: WizardQuestion, asking: Asking): Promise<string> {
  const { draft, known, places } = asking;
  const { flag, kind, message, optional } = question;
  const base = offered(question, draft, known, places);
  if (kind === "yes-no") return (await ctx.ask.confirm({ message, flag, initial: base === "yes" })) ? "yes" : "no";
  if (kind === "choice") {
    const choices = choicesOf(question, places);
    const initial = choices.find(({ value }) => value === base)?.value ?? choices[0]?.value ?? "";
    return ctx.ask.select({ message, flag, choices, initial });
  }
  const take = (text: string): Accepted => accepted(question, text, draft, places);
  const check = (text: string) => {
    const taken = take(text);
    return "problem" in taken ? taken.problem : undefined;
  };
  if (kind === "secret") {
    const keeps = (text: string) => text === "" && base !== "";
    const told = base === "" ? message : `${message} (Enter keeps the one that is known)`;
    const typed = await ctx.ask.password({
      message: told,
      flag,
      check: (text) => (keeps(text) ? undefined : check(text)),
    });
    return keeps(typed) ? base : takenOf(take(typed));
  }
  const rest = !optional ? "" : base === "" ? " (Enter for none)" : " (- for none)";
  return takenOf(take(await ctx.ask.text({ message: message + rest, flag, initial: short(base, ctx.home), check })));
}

/** The prompt has asked until there was no problem. */
function takenOf(taken: Accepted): string {
  return "value" in taken ? taken.value : "";
}

function choicesOf({ key }: WizardQuestion, { backends }: WizardPlaces): readonly Choice<string>[] {
  if (key === "backend") return BACKENDS.filter(({ value }) => backends.some((kind) => kind === value));
  return FORMATS;
}

const BACKENDS: readonly Choice<string>[] = [
  { value: "googledrive", label: "Google Drive" },
  { value: "dropbox", label: "Dropbox" },
  { value: "onedrive", label: "OneDrive" },
  { value: "webdav", label: "WebDAV", hint: "Nextcloud, ownCloud, Apache and others" },
  { value: "local", label: "Local folder", hint: "a disk, a NAS, a mounted share" },
];

const FORMATS: readonly Choice<string>[] = [
  { value: "blobs", label: "blobs", hint: "each content is stored once" },
  { value: "full", label: "full", hint: "every snapshot is a whole copy" },
];
