// Takes in judgements that other programs have kept: a file, what it is of, and what came of it. Must not know formats.

import { call } from "../api.js";
import { element, field, select, statusLine, swap } from "./dom.js";
import { count, counted } from "./format.js";
import { rowBatches, summed, usesOf } from "./read-rows.js";

/** As the service has them, and in words. */
export const formats = [
  ["auto", "found out from the file"],
  ["rows", "rows for training (TRL)"],
  ["hh", "Anthropic hh-rlhf"],
  ["summarize", "OpenAI summarize-from-feedback"],
  ["arena", "Chatbot Arena"],
  ["argilla", "Argilla"],
  ["label-studio", "Label Studio"],
  ["items", "items of attune"],
];

const judges = [
  ["people", "people"],
  ["ai", "programs: kept apart from what people say"],
];

/** `added()`: there are more items, judgements or people. */
export function importPanel({ added }) {
  const file = element("input", { type: "file", accept: ".jsonl,.json,.ndjson,application/json" });
  const format = select({}, formats, "auto");
  const by = select({}, judges, "people");
  const [low, high] = [1, 5].map((value) => element("input", { type: "number", step: "any", value }));
  const prompt = element("input", { type: "text", autocomplete: "off" });
  const answers = element("input", { type: "text", autocomplete: "off" });
  const questions = element("textarea", { rows: 3, spellcheck: "false" });
  const said = statusLine();
  const result = element("div", {});
  const button = element("button", { type: "submit", class: "primary" }, "Import");

  function queryOf() {
    const { uses, problem } = usesOf(questions.value);
    if (problem !== undefined) throw new Error(problem);
    const names = answers.value.split(",").map((name) => name.trim());
    const mapping = {
      ...(prompt.value.trim() === "" ? {} : { prompt: prompt.value.trim() }),
      ...(answers.value.trim() === "" ? {} : { answers: names }),
      ...(Object.keys(uses).length === 0 ? {} : { questions: uses }),
    };
    return {
      format: format.value,
      by: by.value,
      ratingScale: `${low.value},${high.value}`,
      mapping: Object.keys(mapping).length === 0 ? undefined : JSON.stringify(mapping),
    };
  }
  async function send(event) {
    event.preventDefault();
    swap(result);
    const [chosen] = file.files;
    if (chosen === undefined) return said.say("Choose a file first.", true);
    button.disabled = true;
    let report;
    try {
      const query = queryOf();
      for (const batch of rowBatches(await chosen.text())) {
        report = summed(report, await call("POST", "/v1/import", { body: batch, query }));
        said.say(`${counted(report.rows, "row")} sent…`);
      }
      if (report === undefined) said.say("The file has no rows.", true);
      else said.say(`Read ${counted(report.rows, "row")}.`);
      file.value = "";
    } catch (error) {
      const before = report === undefined ? "" : ` ${counted(report.rows, "row")} before it were read.`;
      said.say(`${error.message}${before}`, true);
    }
    button.disabled = false;
    if (report === undefined) return;
    swap(result, reportList(report));
    added();
  }
  const form = element(
    "form",
    { novalidate: true, on: { submit: send } },
    element(
      "div",
      { class: "fields" },
      field({ label: "File", hint: "JSONL or a JSON list, not compressed.", control: file }),
      field({ label: "It is of", control: format }),
      field({ label: "Judged by", hint: "Where the file does not say.", control: by }),
    ),
    element(
      "details",
      {},
      element("summary", {}, "What its fields mean"),
      element(
        "div",
        { class: "fields" },
        field({ label: "Least rating", control: low }),
        field({ label: "Best rating", control: high }),
        field({ label: "Field of the prompt", hint: "Of Argilla and Label Studio.", control: prompt }),
        field({ label: "Fields of the answers", hint: "In order, with commas between.", control: answers }),
      ),
      field({
        label: "Questions",
        hint: "One on each line, NAME=USE: pair, ranking, rating:0, thumb:0, edit:0, comment, span:0 or ignore; the number is the answer's, from 0.",
        control: questions,
      }),
    ),
    element("div", { class: "buttons" }, button),
    said.line,
    result,
    element(
      "p",
      { class: "hint" },
      "What is there already is not added again: import the same file twice without harm. Larger files, compressed ones and Parquet: ",
      element("code", {}, "attune feedback import FILE"),
      ", while the service is stopped.",
    ),
  );
  return { place: element("details", {}, element("summary", {}, "Choose a file of judgements"), form) };
}

function reportList(report) {
  const lines = [
    `${counted(report.items, "item")}, ${counted(report.judgements, "judgement")} of people, ${counted(report.annotators, "new annotator")}`,
    report.aiJudgements > 0 && `${counted(report.aiJudgements, "judgement")} of programs, kept apart`,
    report.itemsKnown + report.judgementsKnown > 0 &&
      `there already: ${counted(report.itemsKnown, "item")}, ${counted(report.judgementsKnown, "judgement")}`,
    report.gold > 0 && `${counted(report.gold, "item")} with a known answer: hidden checks from now on`,
    ...Object.entries(report.passed).map(([why, number]) => `${count(number)} passed over: ${why}`),
    ...Object.entries(report.unused).map(
      ([question, number]) => `${count(number)} values of ${question} not used: say above what they mean`,
    ),
  ];
  return element(
    "ul",
    {},
    lines.filter((line) => line !== false).map((line) => element("li", {}, line)),
  );
}
