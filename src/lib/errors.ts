/** The command line asks for something that cannot be: wrong flag, missing file, a question nobody is there to answer. */
export class UsageError extends Error {
  /** What to type instead: one sentence. */
  readonly hint: string | undefined;
  constructor(message: string, options: { readonly hint?: string } = {}) {
    super(message);
    this.name = "UsageError";
    this.hint = options.hint;
  }
}

/** A guard said no before anything was changed. The message names what was found and the flag that lifts the guard. */
export class RefusedError extends Error {
  /** The guard's name, for scripts. */
  readonly guard: string;
  constructor(guard: string, message: string) {
    super(message);
    this.name = "RefusedError";
    this.guard = guard;
  }
}

/** What was asked for is not there. */
export class MissingError extends Error {
  readonly hint: string | undefined;
  constructor(message: string, options: { readonly hint?: string } = {}) {
    super(message);
    this.name = "MissingError";
    this.hint = options.hint;
  }
}

/** Only the user can go on: sign in, free space, restore access. The message says which. */
export class NeedsActionError extends Error {
  readonly hint: string | undefined;
  constructor(message: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "NeedsActionError";
    this.hint = options.hint;
  }
}

/** The user ended it: Ctrl-C, a termination signal, or a question left with Escape. */
export class Interrupted extends Error {
  constructor(message = "interrupted") {
    super(message);
    this.name = "Interrupted";
  }
}
