import { basename } from "node:path";
import type { TreeResult } from "../../project/model.ts";
import { treeLines } from "../../ui/render/tree.ts";
import { CONFIG_OPTIONS, command } from "../command.ts";
import { withProject } from "../project.ts";

export const treeCommand = command({
  name: "tree",
  summary: "Show the mirrored files as a tree, and which side has each",
  about: [
    "Behind each file stand the sides that have it: [both], [local] or [remote], and its status where that is not plain. Files that take no part in sync are left out. Changes nothing.",
  ],
  positionals: [{ name: "PATH", help: "Only this folder, file or glob.", optional: true, completes: "file" }],
  options: {
    depth: { kind: "number", value: "N", min: 1, max: 1000, help: "Show so many levels; deeper folders are counted." },
    remote: { kind: "flag", help: "Only what is on the remote, with its sizes and times there." },
    "show-size": { kind: "flag", help: "Show how large each file is." },
    "show-mtime": { kind: "flag", help: "Show when each file was last changed (UTC)." },
    ascii: { kind: "flag", help: "Draw the lines with ASCII characters." },
    ...CONFIG_OPTIONS,
  },
  examples: ["claude-mirror tree", "claude-mirror tree memory --show-size", "claude-mirror tree --depth 1 --json"],
  async run(ctx, { options, positionals: [path] }) {
    const request = { path, remoteOnly: options.remote === true };
    const tree = await withProject(ctx, { config: options.config }, (project) => project.tree(request));
    for (const notice of tree.notices) ctx.note(notice);
    const shape = {
      depth: options.depth,
      size: options["show-size"] === true,
      time: options["show-mtime"] === true,
      ascii: options.ascii === true,
      name: basename(tree.root),
    };
    return { result: ctx.json ? treeJson(tree) : null, lines: treeLines(tree, shape, ctx.out.style) };
  },
});

function treeJson({ root, files, held }: TreeResult): object {
  return {
    root,
    files: files.map(({ path, where, status, size, modifiedMs }) => ({
      path,
      where,
      status,
      size,
      modified: modifiedMs === null ? null : new Date(modifiedMs).toISOString(),
    })),
    ...(held.length > 0 && { held }),
  };
}
