/** Where `text` stands among `count` texts in ascending order, no two of them equal; -1 when it is not there. */
export function findSorted(count: number, textAt: (at: number) => string, text: string): number {
  let low = 0;
  let high = count - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = textAt(middle);
    if (found === text) return middle;
    if (found < text) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
