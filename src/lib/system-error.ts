/** What the system's error codes mean to a person, as the state found. */
const STATES: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "your disk quota is used up",
  EFBIG: "the file would be larger than is allowed here",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOENT: "it is not there",
  ENOTDIR: "a file stands where a folder is needed",
  EEXIST: "a file stands where a folder is needed",
  EISDIR: "a folder is there",
  ENOTEMPTY: "the folder is not empty",
  ENAMETOOLONG: "the name is too long for this file system",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  EIO: "the disk reports a read or write error",
  ESTALE: "the network share was lost",
};

/** What would help. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: "free some space",
  EDQUOT: "free some space",
  EACCES: "check the owner and mode of the file and its folder",
  EPERM: "check the owner and mode of the file and its folder",
  EROFS: "mount it writable",
};

/** True for an error that the operating system gave. */
export function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string" && /^E[A-Z0-9]+$/.test(error.code);
}

/** True for an error that goes away once somebody has freed space. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOSPC" || code === "EDQUOT";
}

/** The state that a system error tells, and what would help where that is known; the error's own words for any other. */
export function systemState(error: unknown): string {
  if (!isSystemError(error)) return error instanceof Error ? error.message : String(error);
  const state = STATES[error.code] ?? error.message;
  const remedy = REMEDIES[error.code];
  return remedy === undefined ? state : `${state}; ${remedy}`;
}
