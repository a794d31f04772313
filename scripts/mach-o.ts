// Code signatures of macOS programs, as XNU's `osfmk/kern/cs_blobs.h` and the loader's `mach-o/loader.h` lay them out.
import { createHash } from "node:crypto";

const MAGIC_64 = 0xfeedfacf;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;
const HEADER_BYTES = 32;

const SUPER_BLOB = 0xfade0cc0;
const CODE_DIRECTORY = 0xfade0c02;
/** A super blob with one entry. */
const SUPER_BLOB_BYTES = 20;
/** Up to and with `execSegFlags`. */
const DIRECTORY_BYTES = 88;
const VERSION = 0x20400;
const ADHOC = 0x2;
const MAIN_BINARY = 1n;
const SHA256 = { type: 2, bytes: 32 } as const;
const PAGE_BITS = 12;
const PAGE = 1 << PAGE_BITS;
/** Of the larger pages of the two processors. */
const SEGMENT_PAGE = 0x4000;

interface Layout {
  /** Where in the file the load commands of these begin. */
  readonly text: number;
  readonly linkedit: number;
  readonly signature: number;
}

/**
 * The program with an ad-hoc signature over all of its bytes, which macOS wants to see before it runs it; one that it has is
 * replaced. Throws for what is no thin 64-bit Mach-O file with room for a signature at its end.
 */
export function signMachO(program: Uint8Array, identifier: string): Buffer {
  const { text, linkedit, signature } = layoutOf(Buffer.from(program));
  const start = Buffer.from(program).readUInt32LE(signature + 8);
  const pages = Math.ceil(start / PAGE);
  const name = Buffer.from(`${identifier}\0`);
  const length = SUPER_BLOB_BYTES + DIRECTORY_BYTES + name.length + pages * SHA256.bytes;
  const size = Math.ceil(length / 16) * 16;
  const signed = Buffer.alloc(start + size);
  signed.set(program.subarray(0, start));
  // The commands are hashed as well: they are put right first.
  signed.writeUInt32LE(size, signature + 12);
  const inFile = BigInt(start + size) - signed.readBigUInt64LE(linkedit + 40);
  signed.writeBigUInt64LE(inFile, linkedit + 48);
  signed.writeBigUInt64LE(BigInt(Math.ceil(Number(inFile) / SEGMENT_PAGE) * SEGMENT_PAGE), linkedit + 32);
  const words = [SUPER_BLOB, length, 1, 0, SUPER_BLOB_BYTES];
  for (const [at, word] of words.entries()) signed.writeUInt32BE(word, start + at * 4);
  const directory = start + SUPER_BLOB_BYTES;
  const hashes = DIRECTORY_BYTES + name.length;
  const head = [CODE_DIRECTORY, length - SUPER_BLOB_BYTES, VERSION, ADHOC, hashes, DIRECTORY_BYTES, 0, pages, start];
  for (const [at, word] of head.entries()) signed.writeUInt32BE(word, directory + at * 4);
  signed.set([SHA256.bytes, SHA256.type, 0, PAGE_BITS], directory + 36);
  signed.writeBigUInt64BE(signed.readBigUInt64LE(text + 40), directory + 64);
  signed.writeBigUInt64BE(signed.readBigUInt64LE(text + 48), directory + 72);
  signed.writeBigUInt64BE(MAIN_BINARY, directory + 80);
  signed.set(name, directory + DIRECTORY_BYTES);
  for (let page = 0; page < pages; page++)
    signed.set(digestOf(signed, page, start), directory + hashes + page * SHA256.bytes);
  return signed;
}

/** Why macOS would not accept the signature; undefined where it covers every byte before it and every page is as signed. */
export function signatureTrouble(program: Uint8Array): string | undefined {
  const bytes = Buffer.from(program.buffer, program.byteOffset, program.byteLength);
  const { signature } = layoutOf(bytes);
  const [start, size] = [bytes.readUInt32LE(signature + 8), bytes.readUInt32LE(signature + 12)];
  if (start + size !== bytes.length) return `the signature ends at ${start + size}, the file at ${bytes.length}`;
  if (bytes.readUInt32BE(start) !== SUPER_BLOB) return "there is no signature";
  const directory = start + bytes.readUInt32BE(start + 16);
  if (bytes.readUInt32BE(directory) !== CODE_DIRECTORY) return "the signature does not begin with a code directory";
  const [hashes, pages, limit] = [16, 28, 32].map((at) => bytes.readUInt32BE(directory + at)) as [
    number,
    number,
    number,
  ];
  if (limit !== start) return `the signature covers ${limit} bytes of ${start}`;
  if (pages !== Math.ceil(limit / PAGE)) return `the signature has ${pages} pages of ${Math.ceil(limit / PAGE)}`;
  for (let page = 0; page < pages; page++) {
    const at = directory + hashes + page * SHA256.bytes;
    if (!digestOf(bytes, page, limit).equals(bytes.subarray(at, at + SHA256.bytes)))
      return `page ${page} is not as signed`;
  }
  return undefined;
}

function digestOf(bytes: Buffer, page: number, limit: number): Buffer {
  const part = bytes.subarray(page * PAGE, Math.min((page + 1) * PAGE, limit));
  return createHash("sha256").update(part).digest();
}

function layoutOf(bytes: Buffer): Layout {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC_64)
    throw new Error("cannot sign the program: it is no thin 64-bit Mach-O file");
  const found: { -readonly [K in keyof Layout]?: number } = {};
  let at = HEADER_BYTES;
  for (let left = bytes.readUInt32LE(16); left > 0; left--) {
    const kind = bytes.readUInt32LE(at);
    if (kind === LC_CODE_SIGNATURE) found.signature = at;
    if (kind === LC_SEGMENT_64) {
      const name = bytes
        .subarray(at + 8, at + 24)
        .toString("latin1")
        .replace(/\0.*$/, "");
      if (name === "__TEXT") found.text = at;
      if (name === "__LINKEDIT") found.linkedit = at;
    }
    at += bytes.readUInt32LE(at + 4);
  }
  const { text, linkedit, signature } = found;
  if (text === undefined || linkedit === undefined || signature === undefined)
    throw new Error("cannot sign the program: it has no place for a signature");
  return { text, linkedit, signature };
}
