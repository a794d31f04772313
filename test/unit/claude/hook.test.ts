import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { addHook, dropHook, hookExample } from "../../../src/claude/hook.ts";
import { parseJsonTree } from "../../../src/claude/json-tree.ts";

const COMMAND = "claude-mirror inbox --hook";
const PYTHON = "claude-mirror inbox 2>/dev/null || true";
const OURS = { matcher: "", hooks: [{ type: "command", command: COMMAND, timeout: 10 }] };

/** What a JSON reader that knows no comments makes of it. */
const read = (text: string) => JSON.parse(text) as { hooks?: { PreToolUse?: unknown[] } };

describe("addHook", () => {
  test("addHook: an empty or missing file becomes one with the hook alone", () => {
    expect(read(addHook("", COMMAND).text)).toEqual({ hooks: { PreToolUse: [OURS] } });
    expect(addHook("  \n", COMMAND).text).toBe(hookExample(COMMAND));
  });

  test("addHook: comments, order, indent and other tools' entries keep every byte", () => {
    const before = `{
    // my model
    "model": "opus", /* keep */
    "hooks": {
        "PreToolUse": [
            {"matcher": "Bash", "hooks": [{"type": "command", "command": "lint \\u00e9"}]} // theirs
        ],
        "Stop": []
    },
    "z":   1.50,
}
`;
    const { text } = addHook(before, COMMAND);
    const added = `, // theirs
            {
                "matcher": "",
                "hooks": [
                    {
                        "type": "command",
                        "command": "claude-mirror inbox --hook",
                        "timeout": 10
                    }
                ]
            }
`;
    expect(text).toBe(before.replace(" // theirs\n", added));
    expect(dropHook(text)).toBe(before);
  });

  test.each([
    ["an object with nothing in it", "{}"],
    ["other settings", '{\n  "model": "opus"\n}\n'],
    ["hooks of other events", '{\n\t"hooks": {\n\t\t"Stop": []\n\t}\n}'],
    ["lines of Windows", '{\r\n  "a": {\r\n    "b": 1\r\n  }\r\n}\r\n'],
    ["one line", '{"a": 1, "hooks": {"Stop": []}}'],
    ["a byte order mark", '\ufeff{\n  "a": 1\n}\n'],
  ])("addHook: twice is once, and dropHook gives back %s", (_what, before) => {
    const { text } = addHook(before, COMMAND);
    expect(read(text.replace("\ufeff", "")).hooks?.PreToolUse).toEqual([OURS]);
    expect(addHook(text, COMMAND)).toEqual({ text, replaced: [] });
    expect(JSON.parse(dropHook(text).replace("\ufeff", ""))).toEqual(JSON.parse(before.replace("\ufeff", "")));
    if (before.includes("\r\n")) expect(text.replaceAll("\r\n", "")).not.toContain("\n");
  });

  test("addHook: the Python tool's hook is replaced where it stands, and named", () => {
    const before = `${JSON.stringify(
      { hooks: { PreToolUse: [{ matcher: "", hooks: [{ type: "command", command: PYTHON }] }] }, after: 1 },
      null,
      2,
    )}\n`;
    const { text, replaced } = addHook(before, COMMAND);
    expect(read(text)).toEqual({ hooks: { PreToolUse: [OURS] }, after: 1 } as never);
    expect(replaced).toEqual([PYTHON]);
  });

  test("addHook: several of ours become one", () => {
    const hook = (command: string) => ({ matcher: "", hooks: [{ type: "command", command }] });
    const other = hook("other");
    const before = JSON.stringify({
      hooks: { PreToolUse: [hook(PYTHON), other, hook("/opt/x/claude-mirror inbox --hook")] },
    });
    const { text, replaced } = addHook(before, COMMAND);
    expect(read(text).hooks?.PreToolUse).toEqual([OURS, other]);
    expect(replaced).toHaveLength(2);
  });

  test("addHook: a command of somebody's own that mentions us is not ours", () => {
    const before = JSON.stringify({
      hooks: { PreToolUse: [{ matcher: "", hooks: [{ type: "command", command: "my-log; claude-mirror inbox" }] }] },
    });
    expect(read(addHook(before, COMMAND).text).hooks?.PreToolUse).toHaveLength(2);
    expect(dropHook(before)).toBe(before);
  });

  test("dropHook: the Python tool's hook stays", () => {
    const before = hookExample(PYTHON);
    expect(dropHook(before)).toBe(before);
  });

  test.each([
    ["an open brace", "{"],
    ["no JSON", "model = opus"],
    ["the same name twice", '{"hooks": {}, "hooks": {}}'],
    ["a list at the top", "[]"],
    ["hooks that are no object", '{"hooks": 1}'],
    ["two values", "{} {}"],
    ["a comment without an end", "{} /* x"],
  ])("addHook: refuses %s", (_what, text) => {
    expect(() => addHook(text, COMMAND)).toThrow(/should be|no JSON/);
  });

  /** What holds for any settings: both edits change the meaning by our entry alone. */
  function holds(drop: typeof dropHook): void {
    const hooks = fc.record(
      { Stop: fc.jsonValue(), PreToolUse: fc.array(fc.jsonValue(), { maxLength: 3 }) },
      { requiredKeys: [] },
    );
    const settings = fc.record({ a: fc.jsonValue(), hooks, z: fc.jsonValue() }, { requiredKeys: [] });
    const indents = fc.constantFrom(0, 1, 2, "\t");
    fc.assert(
      fc.property(settings, indents, (value, indent) => {
        const before = JSON.stringify(value, null, indent);
        const { text } = addHook(before, COMMAND);
        const wanted = structuredClone(value) as { hooks?: { PreToolUse?: unknown[] } };
        wanted.hooks = { ...wanted.hooks, PreToolUse: [...(wanted.hooks?.PreToolUse ?? []), OURS] };
        expect(read(text)).toEqual(JSON.parse(JSON.stringify(wanted)));
        const back = JSON.parse(drop(text)) as { hooks?: { PreToolUse?: unknown[] } };
        const tidy = JSON.parse(before) as { hooks?: { PreToolUse?: unknown[] } };
        if (tidy.hooks?.PreToolUse?.length === 0) delete tidy.hooks.PreToolUse;
        if (tidy.hooks && Object.keys(tidy.hooks).length === 0) delete tidy.hooks;
        expect(back).toEqual(tidy);
      }),
      { numRuns: 300, seed: 20_261_121 },
    );
  }

  test("addHook and dropHook: any settings mean the same afterwards", () => holds(dropHook));

  test("addHook and dropHook: the property catches a removal that takes other tools' hooks along", () => {
    const careless = (text: string) => {
      const { hooks: { PreToolUse: _all, ...hooks } = {}, ...rest } = read(text);
      return JSON.stringify(Object.keys(hooks).length > 0 ? { ...rest, hooks } : rest);
    };
    expect(() => holds(careless)).toThrow();
  });
});

test("parseJsonTree: knows where every value stands", () => {
  const text = '{ "a" : [1, "x\\"y", {"b": null}] }';
  const root = parseJsonTree(text);
  const list = root.kind === "object" ? root.members[0]?.value : undefined;
  const items = list?.kind === "array" ? list.items.map(({ start, end }) => text.slice(start, end)) : [];
  expect(items).toEqual(["1", '"x\\"y"', '{"b": null}']);
});
