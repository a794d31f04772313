import { describe, expect, test } from "bun:test";
import { PAGES, referencePages } from "../../../scripts/reference.ts";
import { complete } from "../../../src/cli/complete.ts";
import { EXIT } from "../../../src/cli/exit.ts";
import { allTopics, shownCommands } from "../../../src/cli/man-page.ts";
import { COMMANDS } from "../../../src/cli/table.ts";
import { TOPICS } from "../../../src/cli/topic.ts";
import { cli } from "../../support/cli.ts";
import { ROOT, readPage } from "../../support/pages.ts";

const NAMES = Object.keys(COMMANDS).filter((name) => !COMMANDS[name]?.hidden);
const HINT = "run bun scripts/reference.ts";
const sources = { configs: () => [], profiles: () => [], snapshots: async () => [], backends: [] };

const sorted = (words: Iterable<string>) => [...new Set(words)].sort();
const optionsIn = (text: string) => sorted([...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([word]) => word));

/** The parts of a text that `head` begins, by what it captures. */
function sections(text: string, head: RegExp): ReadonlyMap<string, string> {
  const found = [...text.matchAll(head)];
  return new Map(found.map((match, at) => [match[1] ?? "", text.slice(match.index, found[at + 1]?.index)]));
}

/** What is between one man-page command and the next, as a person reads it. */
const unescaped = (roff: string) => roff.replaceAll("\\-", "-").replaceAll("\\(aq", "'");

/** Everything in the sources that `pattern` finds, but for the topics themselves. */
async function inSources(pattern: RegExp): Promise<readonly string[]> {
  const glob = new Bun.Glob("src/**/*.ts");
  const files = [...glob.scanSync(ROOT)].filter((file) => !file.startsWith("src/cli/topics/"));
  const texts = await Promise.all(files.map((file) => Bun.file(`${ROOT}/${file}`).text()));
  return sorted(texts.flatMap((text) => [...text.matchAll(pattern)].map(([word]) => word)));
}

async function topicRows(name: string): Promise<readonly (readonly [string, string])[]> {
  const parts = (await TOPICS[name]?.load())?.parts ?? [];
  return parts.flatMap((part) => (part.kind === "rows" ? part.rows : []));
}

describe("reference", () => {
  test("reference: the committed pages are what the commands and topics make of them", async () => {
    const pages = await referencePages();
    expect(Object.keys(pages).sort()).toEqual(Object.values(PAGES).sort());
    for (const [name, text] of Object.entries(pages))
      expect([name, HINT, readPage(name) === text]).toEqual([name, HINT, true]);
  });

  test("reference: help, completion, the reference, the manual page and README know the same commands", async () => {
    const help = (await cli(["help"])).stdout;
    const [, listed = ""] = /Commands:\n([\s\S]*?)\n\n/.exec(help) ?? [];
    expect([...listed.matchAll(/^ {2}([a-z][a-z-]*) /gm)].map(([, name]) => name)).toEqual(NAMES);
    const offered = await complete({ words: [""], commands: COMMANDS, sources });
    expect(offered.kind === "names" ? offered.names.map(({ value }) => value) : []).toEqual(NAMES);
    const reference = [...readPage(PAGES.commands).matchAll(/^`claude-mirror ([a-z-]+) \[OPTIONS\]/gm)].map(
      ([, name]) => name,
    );
    expect(reference).toEqual(NAMES);
    const manual = [...unescaped(readPage(PAGES.man)).matchAll(/^\.SS "claude-mirror ([a-z-]+)/gm)];
    expect(manual.map(([, name]) => name)).toEqual(NAMES);
    const readme = [...readPage(PAGES.readme).matchAll(/^\| \[`([a-z-]+)`\]\(docs\/commands\.md#([a-z-]+)\)/gm)];
    expect(readme.map(([, name]) => name)).toEqual(NAMES);
    for (const [, name, anchor] of readme) expect(anchor).toBe(name ?? "");
  });

  test("reference: help, completion, the reference and the manual page know the same options of every command", async () => {
    const reference = sections(readPage(PAGES.commands), /^## ([a-z-]+)$/gm);
    const manual = sections(unescaped(readPage(PAGES.man)), /^\.S[SH] "?(?:claude-mirror )?([A-Za-z-]+)/gm);
    for (const name of NAMES) {
      const help = (await cli([name, "--help"])).stdout.replace(/^Examples:[\s\S]*/m, "");
      const [, listed = ""] = /^Options:\n([\s\S]*)/m.exec(help) ?? [];
      const rows = [...listed.matchAll(/^ {2}(?:-\w, | {4})--.*$/gm)].map(([line]) => line);
      const known = optionsIn(rows.map((row) => row.trim().split(/ {2,}/)[0] ?? "").join("\n"));
      expect([name, known.includes("--help")]).toEqual([name, true]);
      const answer = await complete({ words: [name, "--"], commands: COMMANDS, sources });
      const offered = answer.kind === "names" ? answer.names.map(({ value }) => value) : [];
      expect([name, sorted(offered)]).toEqual([name, known]);
      const cells = [...(reference.get(name) ?? "").matchAll(/^\| `(-[^`]*)`/gm)].map(([, cell = ""]) => cell);
      expect([name, optionsIn(cells.join("\n"))]).toEqual([name, known]);
      const heads = [...(manual.get(name) ?? "").matchAll(/^\.TP\n\.B (-.*)$/gm)].map(([, head = ""]) => head);
      expect([name, optionsIn(heads.join("\n"))]).toEqual([name, known]);
    }
  });

  test("reference: every option that README and the pages type is one of its command", async () => {
    const commands = new Map((await shownCommands()).map((command) => [command.name, command]));
    for (const file of new Bun.Glob("{README.md,docs/*.md}").scanSync(ROOT)) {
      for (const [, line = ""] of readPage(file).matchAll(/^(?:\w+=\S* )*claude-mirror (.*)$/gm)) {
        const [name = ""] = line.split(" ");
        const own = commands.get(name)?.options ?? {};
        const typed = optionsIn(line).map((word) => word.slice(2));
        const known = [...Object.keys(own), ...Object.keys(own).map((option) => `no-${option}`), "json", "help"];
        expect([file, line, typed.filter((option) => !known.includes(option))]).toEqual([file, line, []]);
      }
    }
  });
});

describe("help TOPIC", () => {
  test("help TOPIC: every topic's own name and summary stand in the table, none is a command's, and all are shown", async () => {
    const help = (await cli([])).stdout;
    for (const topic of await allTopics()) {
      expect(TOPICS[topic.name]?.summary).toBe(topic.summary);
      expect(topic.name in COMMANDS).toBe(false);
      expect(help).toContain(`  ${topic.name}`);
      const shown = await cli(["help", topic.name]);
      expect([shown.code, shown.stderr]).toEqual([0, ""]);
      expect(shown.stdout).toStartWith(`${topic.title}\n`);
      expect(shown.stdout).not.toContain("`");
      for (const page of [PAGES.commands, PAGES.man])
        expect(readPage(page).toUpperCase()).toContain(topic.title.toUpperCase());
    }
    expect((await allTopics()).map(({ name }) => name)).toEqual(Object.keys(TOPICS));
  });

  test("help TOPIC: completion offers commands and topics", async () => {
    const answer = await complete({ words: ["help", "t"], commands: COMMANDS, sources });
    expect(answer.kind === "names" ? answer.names.map(({ value }) => value) : []).toEqual(
      expect.arrayContaining(["troubleshooting", "trash"]),
    );
  });

  test("help TOPIC: a name that is near a topic's is told with help before it", async () => {
    expect((await cli(["troubleshoting"])).stderr).toContain("Did you mean claude-mirror help troubleshooting?");
    expect((await cli(["help", "exit-code"])).stderr).toContain("Did you mean claude-mirror help exit-codes?");
  });

  test("help TOPIC: no line is wider than the terminal, and what is typed stays in one piece", async () => {
    for (const columns of [80, 200]) {
      for (const words of [["help"], ...[...NAMES, ...Object.keys(TOPICS)].map((name) => ["help", name])]) {
        const { stdout } = await cli(words, { terminal: true, columns, env: { NO_COLOR: "1" } });
        const lines = stdout.replace(/^(Usage|Examples):\n( .*\n)+/gm, "").split("\n");
        const wide = lines.filter((line) => line.length > columns && line.trim().includes(" "));
        expect([words, columns, wide]).toEqual([words, columns, []]);
      }
    }
    expect((await cli(["help", "troubleshooting"])).stdout).toContain("claude-mirror update --apply");
  });

  test("help exit-codes: names every exit code and no other", async () => {
    const codes = (await topicRows("exit-codes")).map(([code]) => Number(code));
    expect(codes).toEqual(Object.values(EXIT).sort((one, other) => one - other));
  });

  test("help environment: names every variable of ours that the program reads and no other", async () => {
    const own = /CLAUDE_MIRROR_[A-Z_]+/g;
    const named = sorted(
      (await topicRows("environment")).flatMap(([name]) => [...name.matchAll(own)].map(([word]) => word)),
    );
    // Fault points exist in crash tests only; the other two carry a message to PowerShell.
    const inner = /_(FAULT_AT|FAULT_LOG|MESSAGE|TITLE)$/;
    expect(named).toEqual((await inSources(own)).filter((name) => !inner.test(name)));
  });

  test("help files: names every state file of ours that can lie in a project", async () => {
    const named = (await topicRows("files")).map(([name]) => name).join("\n");
    const inProject = await inSources(/(?<=")\.claude_mirror_([a-z_]+\.jsonl?|ignore)(?=")/g);
    expect(inProject.length).toBeGreaterThan(3);
    for (const name of inProject) expect([name, named.includes(`\`${name}\``)]).toEqual([name, true]);
  });

  test("help troubleshooting: the messages that it explains are the ones that are shown", async () => {
    const rows = (await topicRows("troubleshooting")).filter(([name]) => name.startsWith("`"));
    expect(rows.length).toBeGreaterThan(15);
    const texts = (await inSources(/^.+$/gm)).join("\n");
    for (const [name] of rows) {
      const message = name.replaceAll("`", "").replace(/^Could not | \(\d+\)$/g, "");
      expect([message, texts.includes(message)]).toEqual([message, true]);
    }
  });
});
