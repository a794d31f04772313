import { afterAll, setDefaultTimeout } from "bun:test";
import { removeTempFolders } from "./temp.ts";

/**
 * Removing the files of all tests is as slow as the disk, and a hook that runs out of time fails the whole run without a
 * name: on a loaded machine it has taken minutes.
 */
const REMOVAL_TIMEOUT_MS = 1_800_000;

// Registered here it runs once, after the last test file.
afterAll(removeTempFolders, REMOVAL_TIMEOUT_MS);

/** Real servers and compiled binaries need more than bun's 5 s on a loaded machine. */
setDefaultTimeout(60_000);
