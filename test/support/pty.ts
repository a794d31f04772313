/** A program in a terminal of its own. */
export interface Pty {
  /** Everything it has shown so far. */
  readonly shown: () => string;
  /** Resolves once `text` has been shown; the test's own time limit ends a wait in vain. */
  waitFor(text: string): Promise<void>;
  /** Waits for each question, in this order, and types its answer with Enter. */
  converse(answers: readonly (readonly [question: string, answer: string])[]): Promise<void>;
  type(text: string): void;
  signal(name: NodeJS.Signals): void;
  /** The terminal goes away, as when its window is closed. */
  hangUp(): void;
  readonly exited: Promise<number>;
}

export interface PtyOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Starts `command` with a pseudo-terminal of 80 columns as its three streams. */
export function startInPty(command: readonly string[], { env, cwd }: PtyOptions): Pty {
  let shown = "";
  const waiting = new Set<() => void>();
  const decoder = new TextDecoder();
  const child = Bun.spawn([...command], {
    env,
    cwd,
    terminal: {
      cols: 80,
      rows: 24,
      data(_terminal, bytes) {
        shown += decoder.decode(bytes, { stream: true });
        for (const look of waiting) look();
      },
    },
  });
  const shownAfter = (text: string, from: number) =>
    new Promise<number>((resolve) => {
      const look = () => {
        const at = shown.indexOf(text, from);
        if (at < 0) return;
        waiting.delete(look);
        resolve(at + text.length);
      };
      waiting.add(look);
      look();
    });
  return {
    shown: () => shown,
    async waitFor(text) {
      await shownAfter(text, 0);
    },
    async converse(answers) {
      let at = 0;
      for (const [question, answer] of answers) {
        at = await shownAfter(question, at);
        child.terminal?.write(`${answer}\r`);
      }
    },
    signal: (name) => child.kill(name),
    hangUp: () => child.terminal?.close(),
    type: (text) => void child.terminal?.write(text),
    exited: child.exited,
  };
}
