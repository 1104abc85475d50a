// One item of the list: what it is, and, once it is opened, its answers, what was said of it, gold, and its end.
// Must not list items.

import { call } from "../api.js";
import { contentView } from "../judge/content-view.js";
import { picturesOf } from "../judge/pictures.js";
import { element, statusLine, swap } from "./dom.js";
import { counted, letterOf, moment } from "./format.js";
import { goldForm } from "./gold-form.js";
import { sayValues } from "./sayings.js";
import { badge, table } from "./table.js";

const LONGEST_SNIPPET = 140;
const stateKinds = { open: "plain", enough: "good", disputed: "warn", closed: "plain" };
const purposes = { work: "", gold: "as gold", repeat: "shown again" };

/** `changed()`: it is in another state, or gold. */
export function itemCard({ item: given, namesOf, changed }) {
  let item = given;
  let pictures;
  const head = element("summary", {});
  const inside = element("div", { class: "inside" });
  const card = element("details", { class: "item" }, head, inside);
  const update = (news) => {
    item = { ...item, ...news };
    showHead();
    showInside();
    changed();
  };
  function showHead() {
    const text = lastText(item.prompt);
    swap(
      head,
      element("span", { class: "id" }, item.externalId ?? item.item),
      badge(item.state, stateKinds[item.state]),
      item.gold !== undefined && badge("gold", "good"),
      item.unsafe && badge("unsafe", "warn"),
      element(
        "span",
        { class: "snippet" },
        text.length > LONGEST_SNIPPET ? `${text.slice(0, LONGEST_SNIPPET)}…` : text,
      ),
      element("span", { class: "judged" }, `${item.judged} of ${counted(item.slots, "judgement")}`),
    );
  }
  async function showInside() {
    if (!card.open) {
      pictures?.close();
      pictures = undefined;
      return;
    }
    const said = statusLine();
    pictures?.close();
    pictures = picturesOf({
      answers: item.answers.map(({ content }) => content),
      at: `/v1/items/${encodeURIComponent(item.item)}/answers`,
      noticed() {},
    });
    const votes = element("div", {}, "…");
    const close = async () => {
      try {
        await call("POST", `/v1/items/${encodeURIComponent(item.item)}/close`);
        update({ state: "closed" });
      } catch (error) {
        said.say(error.message, true);
      }
    };
    swap(
      inside,
      element("h4", {}, "Prompt"),
      contentView(item.prompt),
      item.answers.map(({ content, model }, place) =>
        element(
          "section",
          { class: "answer" },
          element("h4", {}, `${letterOf(place)} `, element("small", {}, model ?? "no model named")),
          contentView(content, pictures?.answerView(place)),
        ),
      ),
      pictures?.bar,
      element("h4", {}, "What was said"),
      votes,
      element(
        "h4",
        {},
        item.gold === undefined
          ? "Is an answer known to be right?"
          : `Gold: ${sayValues(
              item.gold,
              item.answers.map((_, i) => i),
            )}`,
      ),
      goldForm({ item, changed: (gold) => update({ gold }) }),
      item.state !== "closed" &&
        element("button", { type: "button", on: { click: close } }, "Close: ask nobody any more"),
      said.line,
    );
    try {
      const { judgements } = await call("GET", `/v1/items/${encodeURIComponent(item.item)}/judgements`);
      swap(votes, votesTable(judgements, namesOf()));
    } catch (error) {
      swap(votes, element("p", { class: "said bad" }, error.message));
    }
  }
  card.addEventListener("toggle", showInside);
  showHead();
  return card;
}

function votesTable(judgements, names) {
  return table({
    caption: "Judgements of the item",
    rows: judgements,
    none: "Nobody has judged it.",
    columns: [
      {
        name: "Annotator",
        cell: ({ annotator }) => element("span", { class: "name" }, names.get(annotator) ?? annotator),
      },
      {
        name: "Said",
        cell: ({ values, shown }) => element("span", { class: "name" }, sayValues(values, shown)),
      },
      { name: "Why asked", cell: ({ purpose }) => purposes[purpose] || "work" },
      { name: "When", cell: ({ created }) => moment(created) },
    ],
  });
}

function lastText(content) {
  return typeof content === "string" ? content : (content.at(-1)?.content ?? "");
}
