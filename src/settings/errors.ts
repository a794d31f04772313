/** A settings or token file that cannot be used. The message names the file, the line where there is one, and the remedy. */
export class SettingsError extends Error {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number | undefined;

  constructor(file: string, found: string, options: { readonly line?: number; readonly cause?: unknown } = {}) {
    const place = options.line === undefined ? "" : `line ${options.line}: `;
    super(`cannot use the settings in "${file}": ${place}${found}`, options);
    this.name = "SettingsError";
    this.file = file;
    this.line = options.line;
  }
}
