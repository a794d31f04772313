import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { davRoot, fileUrl, readHref } from "../../../src/backends/webdav/dav-path.ts";
import { parseRelPath, relPath } from "../../../src/lib/path.ts";

const root = davRoot("https://cloud.example:8443/remote.php/dav/files/m%C3%A9/my%20project/");

describe("davRoot", () => {
  test("davRoot: strips the slash at the end and decodes the path", () => {
    expect(root).toEqual({
      origin: "https://cloud.example:8443",
      url: "https://cloud.example:8443/remote.php/dav/files/m%C3%A9/my%20project",
      path: "/remote.php/dav/files/mé/my project",
    });
  });

  test("davRoot: refuses what is no web address", () => {
    for (const address of ["", "cloud.example", "ftp://x/", "file:///etc"]) {
      expect(() => davRoot(address)).toThrow(TypeError);
    }
  });
});

describe("readHref", () => {
  const base = "/remote.php/dav/files/m%C3%A9/my%20project";

  test("readHref: paths and whole URLs, decoded once", () => {
    expect(readHref(root, `${base}/`)).toEqual({ kind: "root" });
    expect(readHref(root, `http://inner:80${base}/a%2520b/`)).toEqual({ kind: "below", path: relPath("a%20b") });
    expect(readHref(root, `${base}/%23%25%3F+%26'%22`)).toEqual({ kind: "below", path: relPath("#%?+&'\"") });
    expect(readHref(root, "/remote.php/dav/files/mé/my project/é")).toEqual({ kind: "below", path: relPath("é") });
  });

  test("readHref: what would leave the root or is no name is unusable", () => {
    const hostile = ["/other/x", `${base}x/y`, `${base}/../x`, `${base}/a/%2e%2e/b`, `${base}/a%2fb`, `${base}/a//b`];
    hostile.push(`${base}/%E9`, `${base}/%`, `${base}/%00`, "", "/", `${base}/./a`, "https://cloud.example:8443");
    for (const href of hostile) expect(readHref(root, href).kind).toBe("unusable");
  });

  test("readHref: reads back every path that fileUrl writes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
        const path = parseRelPath(text);
        if (path === undefined || !text.isWellFormed()) return true;
        const url = fileUrl(root, path);
        expect(new URL(url).href).toBe(url);
        const read = readHref(root, url);
        return read.kind === "below" && read.path === path;
      }),
      { numRuns: 2000 },
    );
  });
});
