import { hashBytes } from "../../src/lib/hash.ts";

/** What one changed file costs is promised for so many. */
const MANY = 10_000;
const OWN = 40;

/** What the labs of the clouds have in common. */
interface ManyLab {
  write(path: string, content: string): void;
  run(words: readonly string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
}

/**
 * A project of some files in a snapshot, on a remote where 10,000 more lie, put there by `put` without a request and known
 * to this machine. Gives back texts whose blob goes into a folder that is there, or into one that is not.
 */
export async function amongMany(
  lab: ManyLab,
  put: (folder: string, name: string, bytes: Buffer) => void,
): Promise<(blobFolder: "there" | "missing") => string> {
  const ok = async (...words: string[]): Promise<void> => {
    const { code, stdout, stderr } = await lab.run(words);
    if (code !== 0) throw new Error(`${words.join(" ")} exits ${code}: ${stderr}${stdout}`);
  };
  const own = Array.from({ length: OWN }, (_, i) => `content ${i}\n`);
  own.forEach((text, i) => {
    lab.write(`own/${i}.md`, text);
  });
  await ok("push");
  const bytes = Buffer.from("x");
  for (let i = 0; i < MANY; i++) put(`many/${i % 100}`, `${i}.md`, bytes);
  await ok("status");
  const prefix = (text: string) => hashBytes("sha256", Buffer.from(text)).slice(0, 2);
  const there = new Set(own.map(prefix));
  let next = 0;
  return (blobFolder) => {
    for (;;) {
      const text = `changed ${next++}\n`;
      if (there.has(prefix(text)) !== (blobFolder === "there")) continue;
      there.add(prefix(text));
      return text;
    }
  };
}
