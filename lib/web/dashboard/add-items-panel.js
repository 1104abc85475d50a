// Adds items from pasted text or a file, after a look at what was read. Must not parse.

import { call } from "../api.js";
import { element, field, statusLine, swap } from "./dom.js";
import { counted } from "./format.js";
import { batchesOf, readItems } from "./read-items.js";

const example = `{"externalId": "q-1", "prompt": "What is a cat?", "answers": [{"content": "An animal.", "model": "first"}, {"content": "A kind of boat.", "model": "second"}]}
{"prompt": "Say hello.", "answers": ["Hello!", "Hi there."]}`;

/** `added()`: there are more items. */
export function addItemsPanel({ added }) {
  const text = element("textarea", { rows: 6, spellcheck: "false" });
  const file = element("input", { type: "file", accept: ".jsonl,.json,.ndjson,application/json" });
  const said = statusLine();
  const seen = element("div", {});

  async function look(event) {
    event.preventDefault();
    const chosen = file.files[0];
    const read = readItems(chosen === undefined ? text.value : await chosen.text());
    swap(seen, lookedAt(read));
    const { items, problems } = read;
    if (items.length + problems.length === 0) said.say("Paste items or choose a file first.", true);
    else said.say(problems.length > 0 ? "Nothing was added yet: mend these first." : "");
  }
  function lookedAt({ items, problems, counted: place }) {
    if (problems.length > 0)
      return element(
        "ul",
        { class: "problems" },
        problems.map(({ line, text: what }) => element("li", {}, `${place} ${line}: ${what}`)),
      );
    if (items.length === 0) return null;
    const add = element(
      "button",
      { type: "button", class: "primary", on: { click: () => send(items, place, add) } },
      `Add ${counted(items.length, "item")}`,
    );
    const [{ item }] = items;
    const prompt = typeof item.prompt === "string" ? item.prompt : JSON.stringify(item.prompt);
    return [
      element(
        "p",
        {},
        `${counted(items.length, "item")} read. The first asks: `,
        element("q", {}, prompt.slice(0, 200)),
        ` (${counted(item.answers.length, "answer")})`,
      ),
      add,
    ];
  }
  async function send(items, place, button) {
    button.disabled = true;
    let [sent, duplicates] = [0, 0];
    for (const batch of batchesOf(items))
      try {
        const answer = await call("POST", "/v1/items", { body: { items: batch.map(({ item }) => item) } });
        duplicates += answer.items.filter(({ duplicate }) => duplicate).length;
        sent += batch.length;
        said.say(`${sent} of ${items.length} sent…`);
      } catch (error) {
        // The service counts from 0 in what it was sent.
        const number = /items(?:\[|\.)(\d+)/.exec(error.field ?? "")?.[1];
        const where = number === undefined ? "" : `${place} ${batch[Number(number)]?.line}: `;
        said.say(
          `${where}${error.message} ${counted(sent, "item")} before it ${sent === 1 ? "was" : "were"} added.`,
          true,
        );
        button.disabled = false;
        if (sent > 0) added();
        return;
      }
    const known =
      duplicates === 0
        ? ""
        : ` ${counted(duplicates, "item")} of a known externalId ${duplicates === 1 ? "was" : "were"} not added again.`;
    said.say(`Added ${counted(sent - duplicates, "item")}.${known}`);
    [text.value, file.value] = ["", ""];
    swap(seen);
    added();
  }
  const form = element(
    "form",
    { novalidate: true, on: { submit: look } },
    field({ label: "Paste items", hint: "One JSON object on each line, or a JSON list.", control: text }),
    field({ label: "or choose a file", hint: "JSONL; it counts before what is pasted.", control: file }),
    element("div", { class: "buttons" }, element("button", { type: "submit" }, "Look at them")),
    said.line,
    seen,
    element(
      "details",
      {},
      element("summary", {}, "What a line looks like"),
      element("pre", { tabindex: 0 }, example),
      element(
        "p",
        { class: "hint" },
        "Ratings compare models: name the model of each answer. An externalId makes it safe to add the same file twice.",
      ),
    ),
  );
  const place = element("details", {}, element("summary", {}, "Paste or choose items"), form);
  return {
    place,
    open() {
      place.open = true;
    },
  };
}
