import * as fs from "node:fs";
import { dirname } from "node:path";
import { fsyncFolder, tempPathFor, writeAll } from "./fs.ts";
import { type ByteStream, drain } from "./streams.ts";

export interface WriteStreamOptions {
  /** Bytes; a body of another length leaves the target as it was and throws. */
  readonly size: number;
  readonly signal?: AbortSignal;
}

/** Like `writeAtomic` for a body that need not fit into memory. */
export async function writeStreamAtomic(target: string, body: ByteStream, options: WriteStreamOptions): Promise<void> {
  fs.mkdirSync(dirname(target), { recursive: true });
  const temp = tempPathFor(target);
  try {
    const fd = fs.openSync(temp, "wx", 0o644);
    try {
      let written = 0;
      await drain(
        body,
        (chunk) => {
          writeAll(fd, chunk);
          written += chunk.length;
        },
        options,
      );
      if (written !== options.size) {
        throw new Error(`could not write "${target}": ${written} of ${options.size} bytes came`);
      }
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temp, target);
  } catch (error) {
    fs.rmSync(temp, { force: true });
    throw error;
  }
  fsyncFolder(dirname(target));
}
