import { setDefaultTimeout } from "bun:test";
// Loaded here, its clean-up runs once, after the last test file; loaded by a test file only, after the first.
import "./temp.ts";

/** Real servers and compiled binaries need more than bun's 5 s on a loaded machine. */
setDefaultTimeout(60_000);
