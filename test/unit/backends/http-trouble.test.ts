import { expect, test } from "bun:test";
import { type BackendError, LocalFileError } from "../../../src/backends/errors.ts";
import { fromHttp, fromSource } from "../../../src/backends/http-trouble.ts";
import { HttpError } from "../../../src/lib/http-error.ts";

const ATTEMPTED = { what: 'write "a.md"', host: "drive.example", changes: true };
const cut = new HttpError("reset", { failure: "cut", reached: true });

test("fromHttp: an answer that was lost leaves the outcome of a change open, one that was never sent does not", () => {
  expect(fromHttp(cut, ATTEMPTED)).toMatchObject({ class: "TRANSIENT", outcomeUnknown: true });
  expect(fromHttp(cut, { ...ATTEMPTED, changes: false })).toMatchObject({ outcomeUnknown: false });
  const unsent = new HttpError("no route", { failure: "refused", reached: false });
  expect(fromHttp(unsent, ATTEMPTED)).toMatchObject({ outcomeUnknown: false });
});

test("fromHttp: the hint names the setting that holds the host, and none for a vendor's own", () => {
  const named = new HttpError("ENOTFOUND", { failure: "name", reached: false });
  expect((fromHttp(named, { ...ATTEMPTED, setting: "webdav_url" }) as BackendError).hint).toContain("webdav_url");
  expect((fromHttp(named, ATTEMPTED) as BackendError).hint).toBe("Check the network.");
});

test("fromHttp and fromSource: what is no fault of the network passes through or is the local file's", () => {
  const aborted = new DOMException("stop", "AbortError");
  expect(fromHttp(aborted, ATTEMPTED)).toBe(aborted);
  expect(fromSource(new Error("EIO"), "x")).toBeInstanceOf(LocalFileError);
  expect(fromSource(cut, "x")).toBe(cut);
});
