// TensorBoard's events in protocol buffers, by hand: the version of the file, scalars of a step, and the start of a
// session, which makes readers forget what an earlier one wrote from that step on. Pure.

/** A scalar by its tag: `train/loss`. */
export interface Scalar {
  readonly tag: string;
  readonly value: number;
}

export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly time: number;
  readonly step: number;
  readonly scalars: readonly Scalar[];
}

/** The first event of a file. */
export function versionEvent(time: number): Uint8Array {
  return joined([double(1, time), text(3, "brain.Event:2")]);
}

/** Events of earlier files from `step` on no longer count. */
export function sessionStartEvent(time: number, step: number): Uint8Array {
  // SessionLog.status = START
  return joined([double(1, time), integer(2, step), message(7, [integer(1, 1)])]);
}

export function scalarEvent({ time, step, scalars }: ScalarEvent): Uint8Array {
  const values = scalars.map(({ tag, value }) => message(1, [text(1, tag), float(2, value)]));
  return joined([double(1, time), integer(2, step), message(5, values)]);
}

/** Wire types of protocol buffers. */
const wire = { varint: 0, bits64: 1, bytes: 2, bits32: 5 } as const;

function key(field: number, type: number): Uint8Array {
  return varint(field * 8 + type);
}

/** Seven bits a byte, lowest first; for whole numbers from 0 to 2^53. */
export function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.of(...bytes, rest);
}

function integer(field: number, value: number): Uint8Array {
  return joined([key(field, wire.varint), varint(value)]);
}

function double(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return joined([key(field, wire.bits64), bytes]);
}

function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return joined([key(field, wire.bits32), bytes]);
}

function text(field: number, value: string): Uint8Array {
  return message(field, [new TextEncoder().encode(value)]);
}

function message(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const content = joined(parts);
  return joined([key(field, wire.bytes), varint(content.length), content]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
