/** Where the values of a map are: any map of numbers is one. */
export interface Places<K> extends Iterable<readonly [K, number]> {
  get(key: K): number | undefined;
  values(): Iterable<number>;
  forEach(visit: (place: number, key: K) => void): void;
}

export interface LazyMapOptions<V> {
  readonly valueAt: (place: number) => V;
  /** Whether the value of this place is in the map; all are when left out. */
  readonly isIn?: (place: number) => boolean;
  /** How many there are; counted each time when left out. */
  readonly count?: () => number;
}

/**
 * The places that are in it, as a map that makes its values each time they are asked for. Follows what becomes of `places`.
 * To go through many, `forEach` leaves least behind.
 */
export function lazyMap<K, V>(
  places: Places<K>,
  { valueAt, isIn = () => true, count }: LazyMapOptions<V>,
): ReadonlyMap<K, V> {
  const has = (key: K): boolean => {
    const place = places.get(key);
    return place !== undefined && isIn(place);
  };
  function* entries(): Generator<[K, V], undefined> {
    for (const [key, place] of places) if (isIn(place)) yield [key, valueAt(place)];
  }
  function* keys(): Generator<K, undefined> {
    for (const [key, place] of places) if (isIn(place)) yield key;
  }
  function* values(): Generator<V, undefined> {
    for (const place of places.values()) if (isIn(place)) yield valueAt(place);
  }
  const map: ReadonlyMap<K, V> = {
    get size() {
      if (count !== undefined) return count();
      let size = 0;
      for (const place of places.values()) if (isIn(place)) size++;
      return size;
    },
    has,
    get: (key) => {
      const place = places.get(key);
      return place !== undefined && isIn(place) ? valueAt(place) : undefined;
    },
    keys,
    values,
    entries,
    [Symbol.iterator]: entries,
    forEach(visit) {
      places.forEach((place, key) => {
        if (isIn(place)) visit(valueAt(place), key, map);
      });
    },
  };
  return map;
}
