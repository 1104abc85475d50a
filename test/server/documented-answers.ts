// Holds what the service answers against the schemas of its OpenAPI document. Must not make calls.

import { expect } from "chai";
import type { z } from "zod";
import { describedCalls } from "../../lib/server/feedback-routes.js";

/** Names of calls as tests write them. */
export const callNames: readonly string[] = describedCalls.map(({ method, path }) => `${method} ${path}`);

/** `name` = `get /v1/items/:id`; a body, or text of lines or events. Nothing may be missing, and nothing undescribed. */
export function holdAnswer(name: string, { status, body, text }: Answered): void {
  const call = describedCalls.find(({ method, path }) => `${method} ${path}` === name);
  if (call === undefined) throw new Error(`the document has no ${name}`);
  const { answers, orNothing = false } = call;
  if (answers === "nothing" || (orNothing && status === 204)) {
    expect([status, text], name).to.deep.equal([204, ""]);
    return;
  }
  expect(status, `${name} ${text}`).to.equal(200);
  if ("lines" in answers || "events" in answers) {
    const schema = "lines" in answers ? answers.lines : answers.events;
    const each = "lines" in answers ? /^(\{.*)$/gm : /^data: (.*)$/gm;
    const found = [...text.matchAll(each)].map(([, line = ""]) => JSON.parse(line));
    expect(found, `${name} gave nothing out`).to.not.be.empty;
    for (const one of found) holdOne(schema as z.ZodType, one, name);
  } else holdOne(answers as z.ZodType, body, name);
}

interface Answered {
  readonly status: number;
  readonly body?: unknown;
  readonly text: string;
}

/** Schemas pass over what they do not know: then what they read is another thing. */
function holdOne(schema: z.ZodType, body: unknown, name: string): void {
  const read = schema.safeParse(body);
  expect(read.error?.issues ?? [], name).to.deep.equal([]);
  expect(read.data, name).to.deep.equal(body);
}
