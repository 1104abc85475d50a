// Reads TensorBoard event files on its own: framing, then protocol buffers by field numbers. Must not import lib.

export interface ReadEvent {
  readonly time: number;
  readonly step: number;
  readonly version: string | undefined;
  readonly scalars: Readonly<Record<string, number>>;
  /** Whether the event starts a session. */
  readonly start: boolean;
}

/** Payloads with the CRCs that stand beside them; throws where a length leads out of the file. */
export function records(bytes: Buffer): { payload: Buffer; lengthCrc: number; payloadCrc: number }[] {
  const found = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    const payload = bytes.subarray(at + 12, at + 12 + length);
    const payloadCrc = bytes.readUInt32LE(at + 12 + length);
    found.push({ payload, lengthCrc: bytes.readUInt32LE(at + 8), payloadCrc });
    at += length + 16;
  }
  return found;
}

type Field = readonly [number, number | string | Buffer];

/** Fields of a message in order: numbers for varints and fixed sizes, bytes for the rest. */
function fields(bytes: Buffer): Field[] {
  const found: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(at++);
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, type] = [key >> 3, key & 7];
    if (type === 0) found.push([field, varint()]);
    else if (type === 1) {
      found.push([field, bytes.readDoubleLE(at)]);
      at += 8;
    } else if (type === 5) {
      found.push([field, bytes.readFloatLE(at)]);
      at += 4;
    } else if (type === 2) {
      const length = varint();
      found.push([field, bytes.subarray(at, at + length)]);
      at += length;
    } else throw new RangeError(`wire type ${type}`);
  }
  return found;
}

const field = (found: readonly Field[], number: number) => found.find(([one]) => one === number)?.[1];

export function eventOf(payload: Buffer): ReadEvent {
  const event = fields(payload);
  const version = field(event, 3);
  const summary = field(event, 5);
  const session = field(event, 7);
  const values = Buffer.isBuffer(summary) ? fields(summary) : [];
  const scalars = values.map(([, value]) => {
    const one = fields(value as Buffer);
    return [String(field(one, 1)), field(one, 2) as number] as const;
  });
  return {
    time: field(event, 1) as number,
    step: (field(event, 2) as number | undefined) ?? 0,
    version: version === undefined ? undefined : String(version),
    scalars: Object.fromEntries(scalars),
    start: Buffer.isBuffer(session) && field(fields(session), 1) === 1,
  };
}
