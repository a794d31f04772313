interface SettingsErrorOptions {
  readonly line?: number;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** A settings or token file that cannot be used. The message names the file, the line where there is one, and the remedy. */
export class SettingsError extends Error {
  readonly file: string;
  /** What is wrong, and the remedy. */
  readonly found: string;
  /** Counted from 1. */
  readonly line: number | undefined;
  /** What else would help. */
  readonly hint: string | undefined;

  constructor(file: string, found: string, options: SettingsErrorOptions = {}) {
    const place = options.line === undefined ? "" : `line ${options.line}: `;
    super(`cannot use the settings in "${file}": ${place}${found}`, options);
    this.name = "SettingsError";
    this.file = file;
    this.line = options.line;
    this.hint = options.hint;
    this.found = found;
  }

  withHint(hint: string): SettingsError {
    const line = this.line === undefined ? {} : { line: this.line };
    return new SettingsError(this.file, this.found, { ...line, hint, cause: this });
  }
}
