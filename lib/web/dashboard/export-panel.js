// Rows to download, by kind, and how to keep the store safe. Must not fetch rows.

import { address } from "../api.js";
import { element, field, select, swap } from "./dom.js";
import { table } from "./table.js";

/** As docs/data.md has them. */
export const kinds = [
  ["preference", "prompt, chosen, rejected, for reward models and DPO; ties are left out"],
  ["reward", "the same with ties, as labels of 0.5"],
  ["unpaired", "prompt, completion, good or not, for KTO: thumbs, both good, both bad"],
  ["ranking", "prompt, completions, ranks"],
  ["rating", "prompt, completion, rating, axis"],
  ["prompt-completion", "edited answers, for fine-tuning"],
  ["critique", "comments on answers"],
];

const splits = [
  ["", "all"],
  ["train", "train"],
  ["valid", "valid"],
  ["test", "test"],
];
const consensus = [
  ["soft", "one row, labelled by what people say together"],
  ["majority", "one row, by what most say"],
  ["each", "a row for each judgement, weighted by its annotator"],
];

export function exportPanel({ project }) {
  const split = select({}, splits, "");
  const mode = select({}, consensus, "soft");
  const links = element("div", {});
  const show = () => swap(links, linkTable({ project, split: split.value, mode: mode.value }));
  for (const one of [split, mode]) one.addEventListener("change", show);
  show();
  return element(
    "div",
    {},
    element(
      "div",
      { class: "fields" },
      field({ label: "Split", control: split }),
      field({ label: "Several judgements of a pair", control: mode }),
    ),
    links,
    element(
      "p",
      { class: "hint" },
      "One JSON object on each line. People are named by pseudonyms. Gold, items shown again and what was withdrawn give no rows.",
    ),
  );
}

function linkTable({ project, split, mode }) {
  const addressOf = (kind) => {
    const query = new URLSearchParams({ project, kind });
    if (split !== "") query.set("split", split);
    if (kind === "preference" || kind === "reward") query.set("consensus", mode);
    return address(`/v1/export?${query}`);
  };
  return table({
    caption: "Rows for training",
    rows: kinds,
    columns: [
      { name: "Kind", cell: ([kind]) => kind },
      { name: "Holds", cell: ([, words]) => words },
      {
        name: "Download",
        cell: ([kind]) =>
          element(
            "a",
            {
              href: addressOf(kind),
              download: `${project}-${kind}${split === "" ? "" : `-${split}`}.jsonl`,
              "aria-label": `Download ${kind} rows`,
            },
            "Download",
          ),
      },
    ],
  });
}

export function backupPanel({ store }) {
  if (store === "postgres")
    return element(
      "p",
      {},
      "This store is a PostgreSQL database: pg_dump copies it while it is in use, and everything is in it.",
    );
  return [
    element(
      "p",
      {},
      "This store is one file, feedback.db, in the folder that the service was started with. Do not copy it while the service runs: what was just judged may be missing. Stop it, and this copies all into one new file:",
    ),
    element("pre", { tabindex: 0 }, "attune feedback backup --store FOLDER --output backup.db"),
    element(
      "p",
      {},
      "A program that runs the service by itself copies while it runs, with ",
      element("code", {}, "store.backup(file)"),
      ".",
    ),
    element(
      "p",
      { class: "hint" },
      "Exports hold rows for training, not the store: who judged what, when, and how it was shown is in the store alone.",
    ),
  ];
}
