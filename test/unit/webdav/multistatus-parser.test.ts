import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  checksumsOf,
  createMultistatusParser,
  type DavEntry,
} from "../../../src/backends/webdav/multistatus-parser.ts";
import { XmlError } from "../../../src/backends/webdav/xml-reader.ts";

const encoder = new TextEncoder();

function parse(text: string | Uint8Array, cuts: readonly number[] = []): DavEntry[] {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  const entries: DavEntry[] = [];
  const parser = createMultistatusParser((entry) => entries.push(entry));
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    parser.write(bytes.subarray(at, cut));
    at = cut;
  }
  parser.end();
  return entries;
}

const APACHE = `<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:" xmlns:ns0="DAV:">
<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/">
<D:href>/dav/</D:href>
<D:propstat><D:prop><lp1:resourcetype><D:collection/></lp1:resourcetype><lp1:getetag>"f-1"</lp1:getetag></D:prop>
<D:status>HTTP/1.1 200 OK</D:status></D:propstat>
<D:propstat><D:prop><D:getcontentlength/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>
</D:response>
<D:response xmlns:lp1="DAV:"><D:href>/dav/a%20&amp;%20b%C3%A9.md</D:href>
<D:propstat><D:prop><lp1:resourcetype/><lp1:getcontentlength>12</lp1:getcontentlength>
<lp1:getlastmodified>Fri, 20 Nov 2026 19:00:00 GMT</lp1:getlastmodified><lp1:getetag>W/"c-2"</lp1:getetag></D:prop>
<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
</D:multistatus>`;

const NEXTCLOUD = `<?xml version="1.0"?><!-- é --><d:multistatus xmlns:d="DAV:" xmlns:s="http://sabredav.org/ns" xmlns:oc='http://owncloud.org/ns'><d:response><d:href><![CDATA[/remote.php/dav/files/me/<x>&.md]]></d:href><d:propstat><d:prop><d:getetag>&quot;abc&#x27;&#233;&quot;</d:getetag><d:getcontentlength>3</d:getcontentlength><d:resourcetype/><oc:checksums><oc:checksum>SHA1:da39a3ee5e6b4b0d3255bfef95601890afd80709 MD5:d41d8cd98f00b204e9800998ecf8427e ADLER32:00000001</oc:checksum></oc:checksums></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>`;

const DEFAULT_NAMESPACE = `<multistatus xmlns="DAV:"><response><href>/x</href><propstat><prop><other xmlns="urn:x"><getetag>no</getetag></other><getetag xmlns="urn:x">no</getetag><getetag>yes</getetag><resourcetype><collection/></resourcetype></prop><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>`;

describe("createMultistatusParser", () => {
  test("createMultistatusParser: reads what Apache writes, whatever the prefixes", () => {
    const [root, file] = parse(APACHE);
    expect(root).toMatchObject({ href: "/dav/", isFolder: true, etag: '"f-1"', failed: undefined });
    expect(file).toMatchObject({
      href: "/dav/a%20&%20b%C3%A9.md",
      isFolder: false,
      size: 12,
      etag: 'W/"c-2"',
      modifiedMs: Date.UTC(2026, 10, 20, 19),
    });
  });

  test("createMultistatusParser: reads nested checksums, CDATA, entities and comments", () => {
    const [file] = parse(NEXTCLOUD);
    expect(file?.href).toBe("/remote.php/dav/files/me/<x>&.md");
    expect(file?.etag).toBe('"abc\'é"');
    expect(file?.checksums).toEqual([
      { kind: "sha1", value: "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
      { kind: "md5", value: "d41d8cd98f00b204e9800998ecf8427e" },
    ]);
  });

  test("createMultistatusParser: goes by namespace, not by local name", () => {
    expect(parse(DEFAULT_NAMESPACE)).toMatchObject([{ etag: "yes", isFolder: true }]);
  });

  for (const [name, text] of Object.entries({ APACHE, NEXTCLOUD, DEFAULT_NAMESPACE })) {
    test(`createMultistatusParser: the ${name} answer cut at every byte reads the same`, () => {
      const whole = parse(text);
      const { length } = encoder.encode(text);
      for (let cut = 0; cut <= length; cut++) expect(parse(text, [cut])).toEqual(whole);
      const everyByte = Array.from({ length }, (_, i) => i);
      expect(parse(text, everyByte)).toEqual(whole);
    });

    test(`createMultistatusParser: the ${name} answer ending at any byte before its end fails`, () => {
      const bytes = encoder.encode(text);
      for (let end = 0; end < bytes.length; end++) {
        expect(() => parse(bytes.subarray(0, end))).toThrow(XmlError);
      }
    });
  }

  test("createMultistatusParser: a property without status 200 does not count, and a refusal is told", () => {
    const text = APACHE.replace(
      "HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n</D:multi",
      "HTTP/1.1 403 Forbidden</D:status></D:propstat></D:response>\n</D:multi",
    );
    expect(parse(text)[1]).toMatchObject({ size: undefined, etag: undefined, failed: 403 });
  });

  const HOSTILE: Readonly<Record<string, string>> = {
    "a page": "<html><body>Sign in</body></html>",
    "a page with a doctype": "<!DOCTYPE html><html></html>",
    "an entity declaration": '<!DOCTYPE x [<!ENTITY a "b">]><multistatus xmlns="DAV:"/>',
    "an unknown entity": '<multistatus xmlns="DAV:">&nbsp;</multistatus>',
    "a character that is none": '<multistatus xmlns="DAV:">&#xD800;</multistatus>',
    "no namespace": "<multistatus></multistatus>",
    "another namespace": '<multistatus xmlns="urn:x"></multistatus>',
    "an unknown prefix": "<d:multistatus></d:multistatus>",
    "a wrong end tag": '<multistatus xmlns="DAV:"><response></multistatus></response>',
    "two documents": '<multistatus xmlns="DAV:"/><multistatus xmlns="DAV:"/>',
    "text after the end": '<multistatus xmlns="DAV:"/>x',
    "another encoding": '<?xml version="1.0" encoding="ISO-8859-1"?><multistatus xmlns="DAV:"/>',
    "a size that is none": APACHE.replace(">12<", ">-1<"),
    "a huge size": APACHE.replace(">12<", ">99999999999999999999<"),
    "no href": APACHE.replace("<D:href>/dav/</D:href>", ""),
    "no status": APACHE.replace("<D:status>HTTP/1.1 200 OK</D:status>", ""),
    "depth without end": `<multistatus xmlns="DAV:">${"<a>".repeat(1000)}`,
    "text without end": `<multistatus xmlns="DAV:"><response><href>${"x".repeat(3_000_000)}`,
    "a tag without end": `<multistatus xmlns="DAV:"><a b="${"x".repeat(3_000_000)}`,
    "a broken attribute": '<multistatus xmlns="DAV:" junk></multistatus>',
    nothing: "",
  };
  for (const [name, text] of Object.entries(HOSTILE)) {
    test(`createMultistatusParser: refuses ${name}`, () => {
      expect(() => parse(text)).toThrow(XmlError);
    });
  }

  test("createMultistatusParser: bytes that are not UTF-8 are refused", () => {
    const bytes = encoder.encode(APACHE);
    bytes[200] = 0xff;
    expect(() => parse(bytes)).toThrow(XmlError);
  });

  test("createMultistatusParser: random damage gives entries or XmlError, nothing else", () => {
    const bytes = encoder.encode(NEXTCLOUD);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(bytes.length), { maxLength: 4 }),
        (damage, cuts) => {
          const damaged = bytes.slice();
          for (const [at, value] of damage) damaged[at] = value;
          try {
            return parse(
              damaged,
              cuts.sort((a, b) => a - b),
            ).every((entry) => typeof entry.href === "string");
          } catch (error) {
            return error instanceof XmlError;
          }
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("createMultistatusParser: any name comes back as it was sent", () => {
    const escaped = (text: string) =>
      text.replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c] as string);
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), fc.nat(400), (name, cut) => {
        const href = `/x${name.replace(/[\p{Cc}\p{Cs}\s]/gu, "_")}y`;
        const text = DEFAULT_NAMESPACE.replace("<href>/x</href>", () => `<href>${escaped(href)}</href>`);
        return parse(text, [cut])[0]?.href === href;
      }),
      { numRuns: 1000 },
    );
  });
});

describe("checksumsOf", () => {
  test("checksumsOf: leaves out unknown kinds and values of the wrong length", () => {
    expect(checksumsOf("SHA256:abc ADLER32:1 MD5:D41D8CD98F00B204E9800998ECF8427E :x")).toEqual([
      { kind: "md5", value: "d41d8cd98f00b204e9800998ecf8427e" },
    ]);
  });
});
