import { setDefaultTimeout } from "bun:test";

/** Real servers and compiled binaries need more than bun's 5 s on a loaded machine. */
setDefaultTimeout(60_000);
