// Reads a request's body as JSON: no more than so many bytes, in UTF-8. Must not know routes.

import { fail } from "../errors/index.js";

export interface ReadBody {
  readonly mostBytes: number;
  /** Lines of JSON are taken too; they are left as text. */
  readonly lines?: boolean;
}

/** Undefined for no body, and for lines. @throws ATTUNE_REQUEST */
export async function readJson(
  request: Request,
  { mostBytes, lines = false }: ReadBody,
): Promise<{ value: unknown; text: string }> {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (length > mostBytes) throw tooLarge(mostBytes);
  const bytes = await readBytes(request, mostBytes);
  if (bytes.length === 0) return { value: undefined, text: "" };
  const type = request.headers.get("content-type") ?? "";
  // A form of another page cannot send this type without asking first.
  const isLines = lines && /^application\/(?:x-ndjson|jsonl)\b/i.test(type);
  if (!isLines && !/^application\/json\b/i.test(type)) {
    const wanted = lines ? "application/json or application/x-ndjson" : "application/json";
    throw fail("ATTUNE_REQUEST", `Expected a body of type ${wanted} but received ${type || "none"}.`, {
      details: { status: 415 },
    });
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw fail("ATTUNE_REQUEST", "Expected UTF-8 text but the body holds other bytes.");
  }
  if (isLines) return { value: undefined, text };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fail("ATTUNE_REQUEST", `Expected JSON but ${(error as Error).message}`);
  }
  refuseHostile(value);
  return { value, text };
}

/** Whatever goes through a body goes into it by functions that call themselves. */
const DEEPEST = 64;

/** @throws ATTUNE_REQUEST for what is nested too deeply, or has a key that stands for an object's prototype */
function refuseHostile(value: unknown): void {
  const rest: { readonly inside: unknown; readonly depth: number }[] = [{ inside: value, depth: 0 }];
  for (let one = rest.pop(); one !== undefined; one = rest.pop()) {
    const { inside, depth } = one;
    if (typeof inside !== "object" || inside === null) continue;
    if (depth >= DEEPEST)
      throw fail(
        "ATTUNE_REQUEST",
        `Expected JSON of at most ${DEEPEST} objects and arrays inside each other.`,
      );
    if (Object.hasOwn(inside, "__proto__"))
      throw fail("ATTUNE_REQUEST", 'Expected names of fields but received "__proto__".', {
        details: { field: "__proto__" },
      });
    for (const child of Array.isArray(inside) ? inside : Object.values(inside))
      if (typeof child === "object" && child !== null) rest.push({ inside: child, depth: depth + 1 });
  }
}

async function readBytes(request: Request, mostBytes: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array();
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body) {
    size += piece.length;
    if (size > mostBytes) throw tooLarge(mostBytes);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

function tooLarge(mostBytes: number) {
  const mebibytes = mostBytes / 2 ** 20;
  return fail("ATTUNE_REQUEST", `Expected a body of at most ${mebibytes} MiB.`, { details: { status: 413 } });
}
