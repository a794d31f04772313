import { afterAll, setDefaultTimeout } from "bun:test";
import { removeTempFolders } from "./temp.ts";

/** Removing the files of all tests takes more than bun's 5 s on a loaded machine. */
const REMOVAL_TIMEOUT_MS = 120_000;

// Registered here it runs once, after the last test file.
afterAll(removeTempFolders, REMOVAL_TIMEOUT_MS);

/** Real servers and compiled binaries need more than bun's 5 s on a loaded machine. */
setDefaultTimeout(60_000);
