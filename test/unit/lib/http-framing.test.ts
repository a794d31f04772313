import { expect, test } from "bun:test";
import fc from "fast-check";
import { HttpError } from "../../../src/lib/http-error.ts";
import { bodyReader } from "../../../src/lib/http-framing.ts";
import type { Framing } from "../../../src/lib/http-head.ts";

/** What is read when `wire` comes in pieces of these lengths. */
function read(framing: Framing, wire: string, cuts: readonly number[] = []) {
  const taken: Buffer[] = [];
  const reader = bodyReader(framing, (chunk) => taken.push(Buffer.from(chunk)));
  let at = 0;
  for (const end of [...cuts, wire.length].filter((cut) => cut <= wire.length).sort((a, b) => a - b)) {
    reader.push(Buffer.from(wire.slice(at, end), "latin1"));
    at = end;
  }
  return { body: Buffer.concat(taken).toString("latin1"), isOver: reader.isOver, hasSurplus: reader.hasSurplus };
}

test("bodyReader: a body of known length ends with its last byte, and what follows is not its own", () => {
  const framing = { kind: "length", bytes: 4 } as const;
  expect(read(framing, "bod")).toEqual({ body: "bod", isOver: false, hasSurplus: false });
  expect(read(framing, "body")).toEqual({ body: "body", isOver: true, hasSurplus: false });
  expect(read(framing, "body+")).toEqual({ body: "body", isOver: true, hasSurplus: true });
  expect(read({ kind: "length", bytes: 0 }, "")).toEqual({ body: "", isOver: true, hasSurplus: false });
});

test("bodyReader: a chunked body, its extensions and trailers left out", () => {
  const wire = '4\r\nwiki\r\n5;q="1"\r\npedia\r\nA \r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n';
  expect(read({ kind: "chunked" }, wire)).toEqual({ body: "wikipedia0123456789", isOver: true, hasSurplus: false });
  expect(read({ kind: "chunked" }, `${wire}x`).hasSurplus).toBe(true);
  expect(read({ kind: "chunked" }, wire.slice(0, -1)).isOver).toBe(false);
});

test("bodyReader: what is no chunk is an error, never a part of the body", () => {
  for (const wire of ["x\r\n", "\r\n", "-1\r\n", "4\r\nwikiX", "4\r\nwiki\rX", "4\nwiki\r\n", "1234567890abc\r\n"]) {
    expect(() => read({ kind: "chunked" }, `${wire}\n`)).toThrow(HttpError);
  }
  expect(() => read({ kind: "chunked" }, "1".repeat(9000))).toThrow(HttpError);
});

test("bodyReader: a chunked body reads the same however its bytes are cut", () => {
  const chunks = fc.array(fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 40 }), { maxLength: 6 });
  fc.assert(
    fc.property(chunks, fc.array(fc.nat(300), { maxLength: 20 }), (pieces, cuts) => {
      const wire = `${pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join("")}0\r\n\r\n`;
      const whole = { body: pieces.join(""), isOver: true, hasSurplus: false };
      expect(read({ kind: "chunked" }, wire, cuts)).toEqual(whole);
    }),
    { numRuns: 200 },
  );
});
