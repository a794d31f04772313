import { afterAll, setDefaultTimeout } from "bun:test";
import { removeTempFolders } from "./temp.ts";

// Registered here it runs once, after the last test file.
afterAll(removeTempFolders);

/** Real servers and compiled binaries need more than bun's 5 s on a loaded machine. */
setDefaultTimeout(60_000);
