/** One stretch of each text, in order; the stretches of all pieces together are the texts. */
export interface Piece {
  readonly kind: "same" | "open";
  readonly base: readonly string[];
  readonly local: readonly string[];
  readonly remote: readonly string[];
}

type Texts = Omit<Piece, "kind">;

/**
 * Cuts three texts at lines that each of them holds once and in the same order ("patience" anchors), so that only the
 * short stretches between them need comparing. Treats local and remote alike.
 */
export function piecesBetweenAnchors({ base, local, remote }: Texts): Piece[] {
  const localPlaces = onlyPlaces(local);
  const remotePlaces = onlyPlaces(remote);
  const shared = [...onlyPlaces(base)].filter(([line]) => localPlaces.has(line) && remotePlaces.has(line));
  const inLocal = longestRise(shared.map(([line]) => localPlaces.get(line) as number));
  const inRemote = longestRise(shared.map(([line]) => remotePlaces.get(line) as number));
  const pieces: Piece[] = [];
  const at = { base: 0, local: 0, remote: 0 };
  const openUpTo = (toBase: number, toLocal: number, toRemote: number) => {
    const here = local.slice(at.local, toLocal);
    const piece = { base: base.slice(at.base, toBase), local: here, remote: remote.slice(at.remote, toRemote) };
    if (piece.base.length + here.length + piece.remote.length > 0) pieces.push({ kind: "open", ...piece });
  };
  shared.forEach(([line, place], rank) => {
    if (!inLocal.has(rank) || !inRemote.has(rank)) return;
    const places = [place, localPlaces.get(line) as number, remotePlaces.get(line) as number] as const;
    openUpTo(...places);
    pieces.push({ kind: "same", base: [line], local: [line], remote: [line] });
    [at.base, at.local, at.remote] = [places[0] + 1, places[1] + 1, places[2] + 1];
  });
  openUpTo(base.length, local.length, remote.length);
  return pieces;
}

/** Lines that are there exactly once, with their places, in order. */
function onlyPlaces(lines: readonly string[]): Map<string, number> {
  const places = new Map<string, number>();
  const twice = new Set<string>();
  lines.forEach((line, at) => {
    if (places.has(line)) twice.add(line);
    else places.set(line, at);
  });
  for (const line of twice) places.delete(line);
  return places;
}

/** The indexes of a longest increasing subsequence (patience sorting). */
function longestRise(values: readonly number[]): Set<number> {
  const tops: number[] = [];
  const before: (number | undefined)[] = [];
  values.forEach((value, at) => {
    let low = 0;
    let high = tops.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((values[tops[middle] as number] as number) < value) low = middle + 1;
      else high = middle;
    }
    before[at] = tops[low - 1];
    tops[low] = at;
  });
  const rise = new Set<number>();
  for (let at = tops.at(-1); at !== undefined; at = before[at]) rise.add(at);
  return rise;
}
