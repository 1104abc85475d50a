// The call that takes rows of other programs in. Must not know formats.

import { z } from "zod";
import { type ImportSource, importOptions, importRows } from "../feedback/index.js";
import { importReport } from "./answers/rows.js";
import { queryOf } from "./query-options.js";
import { type Route, type RouteCall, route } from "./route.js";

const MEBIBYTE = 2 ** 20;
const { format, by, ratingScale, skipBadRows, mapping } = importOptions.shape;

/** A mapping is an object: in a query it is written as JSON. */
const mappingText = z
  .string()
  .optional()
  .transform((text, context) => {
    try {
      return text === undefined ? {} : JSON.parse(text);
    } catch {
      context.addIssue({ code: "custom", message: "expected JSON" });
      return z.NEVER;
    }
  })
  .pipe(mapping);

/** As the format has them; what is wrong with one is said with its number. */
const rows = z.array(z.unknown()).describe("rows of the format that ?format= names, or one row");

/** Lines as they are, a list, or one row. */
function sourceOf({ body, text }: RouteCall<unknown, unknown>): ImportSource {
  if (body === undefined) return { text };
  return { rows: Array.isArray(body) ? body : [body] };
}

export const importRoutes: readonly Route[] = [
  route({
    method: "post",
    path: "/v1/import",
    roles: ["trainer", "owner"],
    summary:
      "Take in judged rows of other programs, as JSON or lines of JSON; what is there is not added again",
    answers: importReport,
    mostBytes: 16 * MEBIBYTE,
    lines: true,
    body: z.union([rows, z.record(z.string(), z.unknown())]).optional(),
    query: queryOf({ format, by, ratingScale, skipBadRows }).extend({ mapping: mappingText }),
    handle: (call) =>
      importRows({ store: call.store, project: call.project, source: sourceOf(call), ...call.query }),
  }),
];
