import type { Net } from "../nodes/changes.ts";
import type { Node } from "../nodes/model.ts";

/** Of a full stream only what lies below the root, and the root: a listing of everything that is owned shows much else. */
export function keepTree(net: Net, full: boolean, rootId: string): Net {
  if (!full) return net;
  const nodes = new Map(net.put.map((node) => [node.id, node]));
  const verdicts = new Map<string, boolean>([[rootId, true]]);
  const isInside = (start: Node): boolean => {
    const way: string[] = [];
    let id = start.id;
    while (!verdicts.has(id)) {
      way.push(id);
      // A circle of parents leads nowhere.
      verdicts.set(id, false);
      const node = nodes.get(id);
      if (node === undefined) break;
      id = node.parent;
    }
    const verdict = verdicts.get(id) ?? false;
    for (const passed of way) verdicts.set(passed, verdict);
    return verdict;
  };
  return { put: net.put.filter(isInside), drop: net.drop };
}
