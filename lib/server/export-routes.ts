// The calls that give rows out, and name those that were taken back. Must not make rows.

import { z } from "zod";
import { exportOptions, exportRows, lastSeq, recordedRows, withdrawnJudgements } from "../feedback/index.js";
import { exportedRow, withdrawn } from "./answers/rows.js";
import { jsonLines } from "./json-lines.js";
import { queryOf } from "./query-options.js";
import { type Route, route } from "./route.js";

/** Up to which event a stream goes: the next one begins behind it with ?since=. */
const SEQ_HEADER = "attune-seq";

export const exportRoutes: readonly Route[] = [
  route({
    method: "get",
    path: "/v1/export",
    roles: ["trainer", "owner"],
    summary: "Rows for training, one JSON object on each line; header attune-seq is the next call's since",
    answers: { lines: exportedRow },
    query: queryOf({
      ...exportOptions.shape,
      record: z
        .boolean()
        .optional()
        .describe("mark what is given out, so that it is named when it is taken back; default for trainers"),
    }),
    async handle({ store, project, caller, query: { record = caller.role === "trainer", ...query } }) {
      const seq = await lastSeq(store.reading, project);
      const rows = exportRows({ reading: store.reading, project, ...query });
      const response = jsonLines(record ? recordedRows({ store, project, rows }) : rows);
      response.headers.set(SEQ_HEADER, String(seq));
      return response;
    },
  }),
  route({
    method: "get",
    path: "/v1/withdrawn",
    roles: ["trainer", "owner"],
    summary:
      "Judgements that were taken back, one JSON object on each line: rows whose source names one are void",
    answers: { lines: withdrawn },
    query: z.object({ since: z.coerce.number().int().min(0).default(0) }),
    async handle({ store, project, query: { since } }) {
      const seq = await lastSeq(store.reading, project);
      const response = jsonLines(withdrawnJudgements(store.reading, { project, since }));
      response.headers.set(SEQ_HEADER, String(seq));
      return response;
    },
  }),
];
