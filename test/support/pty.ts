/** A program in a terminal of its own. */
export interface Pty {
  /** Everything it has shown so far. */
  readonly shown: () => string;
  /** Resolves once `text` has been shown; the test's own time limit ends a wait in vain. */
  waitFor(text: string): Promise<void>;
  type(text: string): void;
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
  return {
    shown: () => shown,
    waitFor: (text) =>
      new Promise((resolve) => {
        const look = () => {
          if (!shown.includes(text)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    type: (text) => void child.terminal?.write(text),
    exited: child.exited,
  };
}
