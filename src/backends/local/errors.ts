import { BackendError, type ErrorClass, LocalFileError } from "../errors.ts";

/** What an operation on a path of the remote folder was about, for messages. */
export interface Attempt {
  /** The remote folder, absolute. */
  readonly folder: string;
  /** `write`, `list` ... */
  readonly verb: string;
  /** Below the remote folder; `""` for the folder itself. */
  readonly path: string;
}

const CLASSES: Readonly<Record<string, ErrorClass>> = {
  ENOSPC: "QUOTA",
  EDQUOT: "QUOTA",
  EACCES: "PERMISSION",
  EPERM: "PERMISSION",
  EROFS: "PERMISSION",
  ENAMETOOLONG: "FILE_REJECTED",
  EINVAL: "FILE_REJECTED",
  EILSEQ: "FILE_REJECTED",
  EISDIR: "FILE_REJECTED",
  ENOTDIR: "FILE_REJECTED",
  EFBIG: "FILE_REJECTED",
  ELOOP: "FILE_REJECTED",
  ENOENT: "TRANSIENT",
  EIO: "TRANSIENT",
  ESTALE: "TRANSIENT",
  ENODEV: "TRANSIENT",
  ENXIO: "TRANSIENT",
  ENOTCONN: "TRANSIENT",
  EHOSTDOWN: "TRANSIENT",
  ETIMEDOUT: "TRANSIENT",
  EBUSY: "TRANSIENT",
  EAGAIN: "TRANSIENT",
  EINTR: "TRANSIENT",
  EMFILE: "TRANSIENT",
  ENFILE: "TRANSIENT",
};

const STATES: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EACCES: "permission denied",
  EPERM: "the file system does not permit it",
  EROFS: "the file system is mounted read-only",
  ENAMETOOLONG: "the name is too long for this file system",
  EINVAL: "this file system does not allow the name",
  EILSEQ: "this file system does not allow the name",
  EISDIR: "a folder is there",
  ENOTDIR: "a file stands where a folder is needed",
  EFBIG: "the file is too large for this file system",
  ENOENT: "it went away meanwhile",
  EIO: "the disk reports a read or write error",
  ESTALE: "the network share was lost",
  ENOTCONN: "the network share was lost",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
};

const HINTS: Readonly<Partial<Record<ErrorClass, string>>> = {
  QUOTA: "Free some space there and run the command again.",
  PERMISSION: "Check who owns the remote folder and that it is mounted writable.",
};

/** The `code` of a system error, where it has one. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** A system error as the contract's. Errors of the contract, of the local side and of a signal pass unchanged. */
export function localError(error: unknown, attempt: Attempt): unknown {
  if (error instanceof BackendError || error instanceof LocalFileError) return error;
  const code = codeOf(error);
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const errorClass = CLASSES[code] ?? "UNKNOWN";
  const hint = HINTS[errorClass];
  return new BackendError(`cannot ${attempt.verb} ${subject(attempt)}: ${STATES[code] ?? code}`, {
    class: errorClass,
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Runs `act`, its system errors translated by {@link localError}. */
export async function attempting<T>(attempt: Attempt, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw localError(error, attempt);
  }
}

/** For a name or content that this folder will never take. */
export function rejected(attempt: Attempt, state: string): BackendError {
  return new BackendError(`cannot ${attempt.verb} ${subject(attempt)}: ${state}`, { class: "FILE_REJECTED" });
}

/** The remote folder itself is missing. Nothing may create it again: it is most likely a disk that is not mounted. */
export function goneError(attempt: Attempt): BackendError {
  return new BackendError(
    attempt.path === ""
      ? `cannot ${attempt.verb} ${subject(attempt)}: it is gone: is the disk mounted?`
      : `cannot ${attempt.verb} "${attempt.path}": the remote folder "${attempt.folder}" is gone: is the disk mounted?`,
    { class: "TRANSIENT", hint: "Mount the disk, or run claude-mirror init again to start with a new folder." },
  );
}

export function subject(attempt: Attempt): string {
  return attempt.path === "" ? `the remote folder "${attempt.folder}"` : `"${attempt.path}" in "${attempt.folder}"`;
}
