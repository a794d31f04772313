/** Whole numbers from -1 up to 2^31, as many as are pushed, without an object for any of them. */
export interface IntColumn {
  readonly length: number;
  at(position: number): number;
  push(value: number): void;
}

export function intColumn(): IntColumn {
  let values = new Int32Array(1024);
  let length = 0;
  return {
    get length() {
      return length;
    },
    at: (position) => values[position] as number,
    push(value) {
      if (length === values.length) {
        const wider = new Int32Array(length * 2);
        wider.set(values);
        values = wider;
      }
      values[length++] = value;
    },
  };
}
