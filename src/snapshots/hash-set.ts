const RECORD = 32;
const FIRST_CAPACITY = 64;

/** A set of SHA-256 digests (64 hex digits outside) that takes some 50 bytes a digest and is filled in milliseconds. */
export interface HashSet {
  readonly size: number;
  has(sha256: string): boolean;
  /** False when it was there. */
  add(sha256: string): boolean;
  /** False when it was not there. The last of `values` takes its place. */
  delete(sha256: string): boolean;
  /** Adds digests packed as 32 bytes each; fewer bytes at the end are ignored. */
  addPacked(bytes: Uint8Array): void;
  values(): IterableIterator<string>;
  /** Those from number `from` of `values` on, 32 bytes each, until the set changes. */
  packed(from: number): Buffer;
}

/** An empty set: open addressing by the digest's first four bytes, which are as good as random. */
export function hashSet(): HashSet {
  let count = 0;
  let records = Buffer.alloc(FIRST_CAPACITY * RECORD);
  let slots = new Int32Array(FIRST_CAPACITY * 2);
  const probe = Buffer.alloc(RECORD);

  /** The slot that holds `key`, or the empty one where it belongs. A slot's value is the record's number plus one. */
  function slotOf(key: Buffer): number {
    const mask = slots.length - 1;
    let slot = key.readUInt32LE(0) & mask;
    for (let held = slots[slot] as number; held !== 0; held = slots[slot] as number) {
      const at = (held - 1) * RECORD;
      if (records.compare(key, 0, RECORD, at, at + RECORD) === 0) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  function reserve(wanted: number): void {
    if (wanted * RECORD <= records.length) return;
    let capacity = records.length / RECORD;
    while (capacity < wanted) capacity *= 2;
    const larger = Buffer.alloc(capacity * RECORD);
    records.copy(larger, 0, 0, count * RECORD);
    records = larger;
    slots = new Int32Array(capacity * 2);
    for (let i = 0; i < count; i++) slots[slotOf(records.subarray(i * RECORD, (i + 1) * RECORD))] = i + 1;
  }

  function insert(key: Buffer): boolean {
    reserve(count + 1);
    const slot = slotOf(key);
    if (slots[slot] !== 0) return false;
    key.copy(records, count * RECORD);
    slots[slot] = ++count;
    return true;
  }

  /** Leaves no gap before what collided with it. */
  function free(slot: number): void {
    const mask = slots.length - 1;
    slots[slot] = 0;
    for (let next = (slot + 1) & mask; slots[next] !== 0; next = (next + 1) & mask) {
      const held = slots[next] as number;
      slots[next] = 0;
      slots[slotOf(recordAt(held))] = held;
    }
  }

  function recordAt(held: number): Buffer {
    return records.subarray((held - 1) * RECORD, held * RECORD);
  }

  function isRead(sha256: string): boolean {
    return sha256.length === RECORD * 2 && probe.write(sha256, "hex") === RECORD;
  }

  return {
    get size() {
      return count;
    },
    has: (sha256) => isRead(sha256) && slots[slotOf(probe)] !== 0,
    add(sha256) {
      if (!isRead(sha256)) throw new RangeError(`cannot add "${sha256}": not a SHA-256 in hex`);
      return insert(probe);
    },
    delete(sha256) {
      const slot = isRead(sha256) ? slotOf(probe) : -1;
      const held = slots[slot] ?? 0;
      if (held === 0) return false;
      free(slot);
      if (held !== count) {
        slots[slotOf(recordAt(count))] = held;
        recordAt(count).copy(recordAt(held));
      }
      count--;
      return true;
    },
    packed: (from) => records.subarray(from * RECORD, count * RECORD),
    addPacked(bytes) {
      const packed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const added = Math.floor(packed.length / RECORD);
      reserve(count + added);
      for (let i = 0; i < added; i++) insert(packed.subarray(i * RECORD, (i + 1) * RECORD));
    },
    *values() {
      for (let i = 0; i < count; i++) yield records.toString("hex", i * RECORD, (i + 1) * RECORD);
    },
  };
}
