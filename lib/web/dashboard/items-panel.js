// The project's items, some at a time, by state or by whether their answer is known. Must not show one.

import { call } from "../api.js";
import { element, field, select, statusLine } from "./dom.js";
import { counted } from "./format.js";
import { itemCard } from "./item-card.js";

const filters = [
  ["", "all"],
  ["state=disputed", "disputed"],
  ["state=open", "open"],
  ["state=enough", "with enough judgements"],
  ["state=closed", "closed"],
  ["gold=true", "gold: right answer known"],
];
const PAGE = 30;

/** `changed()`: an item is in another state, or gold. */
export function itemsPanel({ namesOf, changed }) {
  const list = element("div", { class: "items" });
  const said = statusLine();
  const filter = select({}, filters, "");
  const more = element("button", { type: "button", hidden: true, on: { click: () => page() } }, "More items");
  let next = -1;
  /** Of the page that is being waited for: an older answer that comes later is dropped. */
  let turn = 0;

  async function page({ first = false } = {}) {
    turn += 1;
    const mine = turn;
    if (first) next = -1;
    const [name, value] = filter.value.split("=");
    const query = { after: next, most: PAGE, ...(value === undefined ? {} : { [name]: value }) };
    try {
      const found = await call("GET", "/v1/items", { query });
      if (mine !== turn) return;
      const cards = found.items.map((item) => itemCard({ item, namesOf, changed }));
      if (first) list.replaceChildren(...cards);
      else list.append(...cards);
      more.hidden = found.next === undefined;
      next = found.next;
      const number = list.children.length;
      said.say(
        number === 0
          ? "No such item."
          : `${counted(number, "item")} shown${more.hidden ? "." : "; there are more."}`,
      );
    } catch (error) {
      said.say(error.message, true);
    }
  }
  const load = () => page({ first: true });
  filter.addEventListener("change", load);
  return {
    place: element(
      "div",
      {},
      element(
        "div",
        { class: "fields" },
        field({ label: "Show", control: filter }),
        element("button", { type: "button", on: { click: load } }, "Look again"),
      ),
      said.line,
      list,
      more,
    ),
    load,
    /** Starts with what an owner has to decide. */
    choose(value) {
      filter.value = value;
    },
  };
}
