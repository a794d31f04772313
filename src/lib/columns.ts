/** Numbers, as many as are pushed, without an object for any of them. */
export interface NumberColumn {
  readonly length: number;
  at(position: number): number;
  push(value: number): void;
}

/** Whole numbers from -1 up to 2^31. */
export function intColumn(): NumberColumn {
  return column((length) => new Int32Array(length));
}

/** Any numbers. */
export function floatColumn(): NumberColumn {
  return column((length) => new Float64Array(length));
}

const FIRST_LENGTH = 1024;

function column(make: (length: number) => Int32Array | Float64Array): NumberColumn {
  let values = make(FIRST_LENGTH);
  let length = 0;
  return {
    get length() {
      return length;
    },
    at: (position) => values[position] as number,
    push(value) {
      if (length === values.length) {
        const wider = make(length * 2);
        wider.set(values);
        values = wider;
      }
      values[length++] = value;
    },
  };
}

/** Texts of so many bytes each in hex, packed. */
export interface HexColumn {
  at(position: number): string;
  push(hex: string): void;
}

export function hexColumn(bytes: number): HexColumn {
  let values = Buffer.alloc(FIRST_LENGTH * bytes);
  let length = 0;
  return {
    at: (position) => values.toString("hex", position * bytes, (position + 1) * bytes),
    push(hex) {
      const start = length++ * bytes;
      if (start === values.length) values = Buffer.concat([values, Buffer.alloc(values.length)]);
      values.write(hex, start, bytes, "hex");
    },
  };
}
