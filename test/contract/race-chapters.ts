import { expect, test } from "bun:test";
import { BackendError } from "../../src/backends/errors.ts";
import type { Backend } from "../../src/backends/types.ts";
import { relPath } from "../../src/lib/path.ts";
import { sourceOf, textAt } from "../support/bodies.ts";
import { create, pathsOf, unless } from "./asserts.ts";
import type { ContractContext } from "./suite.ts";

const A = relPath("docs/a.md");
const ROUNDS = 8;

/** Several machines at one file at once. */
export function raceChapters({ chapter, at, can, has }: ContractContext): void {
  /** Sets all clients off at once; gives the numbers of those that succeeded. */
  const race = async (clients: readonly Backend[], act: (client: Backend, i: number) => Promise<unknown>) => {
    const ends = await Promise.allSettled(clients.map((client, i) => act(client, i)));
    for (const end of ends) if (end.status === "rejected") expect(end.reason).toBeInstanceOf(BackendError);
    return ends.flatMap((end, i) => (end.status === "fulfilled" ? [i] : []));
  };
  const open = async (): Promise<Backend[]> => [at().backend, await at().second(), await at().second()];
  const close = async (clients: readonly Backend[]): Promise<void> => {
    for (const client of clients.slice(1)) await client.close();
  };

  chapter("races", () => {
    unless(can.guard === "look")("two machines create one file: exactly one wins, and its content stays", async () => {
      const clients = await open();
      for (let round = 0; round < ROUNDS; round++) {
        const path = relPath(`new/${round}.md`);
        const won = await race(clients, (client, i) =>
          client.write(path, sourceOf(`by ${i}`.repeat(1000)), { expect: "absent" }),
        );
        expect(won.length).toBe(1);
        expect(await textAt(clients[0] as Backend, path)).toBe(`by ${won[0]}`.repeat(1000));
      }
      expect((await pathsOf(clients[0] as Backend, "")).length).toBe(ROUNDS);
      await close(clients);
    });

    unless(can.guard === "look")(
      "two machines update one version: exactly one wins, and its content stays",
      async () => {
        const clients = await open();
        for (let round = 0; round < ROUNDS; round++) {
          const path = relPath(`upd/${round}.md`);
          const { rev } = await create(clients[0] as Backend, path, "base");
          const won = await race(clients, (client, i) =>
            client.write(path, sourceOf(`by ${i}`.repeat(1000 + i)), { expect: rev }),
          );
          expect(won.length).toBe(1);
          const winner = won[0] ?? 0;
          expect(await textAt(clients[0] as Backend, path)).toBe(`by ${winner}`.repeat(1000 + winner));
        }
        await close(clients);
      },
    );

    unless(can.guard === "look")("an update and a remove of one version: exactly one wins", async () => {
      const clients = (await open()).slice(0, 2);
      for (let round = 0; round < ROUNDS; round++) {
        const path = relPath(`rm/${round}.md`);
        const { rev } = await create(clients[0] as Backend, path, "base");
        const won = await race(clients, (client, i) =>
          i === 0 ? client.write(path, sourceOf("updated"), { expect: rev }) : client.remove(path, { expect: rev }),
        );
        expect(won.length).toBe(1);
        const seen = await (clients[0] as Backend).stat(path);
        expect(seen !== undefined).toBe(won[0] === 0);
      }
      await close(clients);
    });

    unless(can.guard === "look" || !has.copy)(
      "two machines copy different files onto one name: exactly one wins, and its content stays",
      async () => {
        const clients = await open();
        for (const i of clients.keys()) await create(clients[0] as Backend, `from/${i}.md`, `copy of ${i}`);
        for (let round = 0; round < ROUNDS; round++) {
          const path = relPath(`copied/${round}.md`);
          const won = await race(clients, async (client, i) => client.copy?.(relPath(`from/${i}.md`), path));
          expect(won.length).toBe(1);
          expect(await textAt(clients[0] as Backend, path)).toBe(`copy of ${won[0]}`);
        }
        await close(clients);
      },
    );

    test("two machines replace one file without a guard: one whole content stays", async () => {
      const clients = await open();
      await race(clients, (client, i) => client.write(A, sourceOf(String(i).repeat(50_000)), { expect: "any" }));
      const text = await textAt(clients[0] as Backend, A);
      expect(text).toBe(text.charAt(0).repeat(50_000));
      await close(clients);
    });
  });
}
