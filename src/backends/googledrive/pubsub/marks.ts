/** Attributes of our own messages, beside those that the Python tool gives (reference 1.10): which copy of a project sent it. */
export const MACHINE_ID = "machine_id";

/** Which Drive folder it is about. */
export const REMOTE = "remote";
