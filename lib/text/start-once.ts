// Puts what a tokenizer starts sequences with (BOS) in front of ids, exactly once.
// Must not know templates or rows.

import { fail } from "../errors/index.js";
import type { Tokenizer } from "./tokenizer.js";

/** Ids with the start in front; text or a template that wrote it gets no second one. Throws ATTUNE_TEMPLATE for two. */
export function startOnce(tokenizer: Tokenizer, ids: Int32Array): Int32Array {
  const { startIds } = tokenizer;
  const bos = tokenizer.bosId ?? startIds[0];
  if (bos !== undefined && ids[0] === bos && ids[1] === bos) throw twice(tokenizer, bos);
  if (startIds.every((id, i) => ids[i] === id)) return ids;
  const started = new Int32Array(startIds.length + ids.length);
  started.set(startIds);
  started.set(ids, startIds.length);
  return started;
}

function twice(tokenizer: Tokenizer, bos: number) {
  const expected = `Expected one BOS token (${JSON.stringify(tokenizer.tokenOf(bos))}) at the start but found two`;
  const text = `${expected}: the text, or the chat template, writes it twice. Leave one out.`;
  return fail("ATTUNE_TEMPLATE", text, { details: { id: bos } });
}
