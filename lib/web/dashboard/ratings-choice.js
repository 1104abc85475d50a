// What ratings are asked for: of which group of annotators, how ties count, and which terms of style are taken out.
// Must not fetch or draw ratings.

import { element, field, freshId, select } from "./dom.js";

const ties = [
  ["half", "half a win for each"],
  ["davidson", "a chance of their own (Davidson)"],
];

/** As the service has them, and in words. */
export const styles = [
  ["length", "length"],
  ["lists", "lists"],
  ["headings", "headings"],
  ["bold", "bold text"],
];

/** `changed()`: another choice. `query()`: what /v1/ratings is asked; empty for the service's own choice. */
export function ratingsChoice({ changed }) {
  const group = select({}, [["", "everybody"]], "");
  const tie = select({}, ties, "half");
  const boxes = styles.map(([name, words]) => {
    const box = element("input", { type: "checkbox", id: freshId("style"), value: name });
    const label = element("label", { for: box.id }, words);
    return { name, box, place: element("div", { class: "field check" }, box, label) };
  });
  const groupField = field({ label: "Annotators", control: group });
  groupField.hidden = true;
  const place = element(
    "div",
    { class: "fields ratings-choice" },
    groupField,
    field({ label: "Ties count as", control: tie }),
    element(
      "fieldset",
      { class: "checks" },
      element("legend", {}, "Take out of the ratings what pleases by"),
      boxes.map(({ place: one }) => one),
    ),
  );
  for (const control of [group, tie, ...boxes.map(({ box }) => box)])
    control.addEventListener("change", changed);
  return {
    place,
    query() {
      const chosen = boxes.filter(({ box }) => box.checked).map(({ name }) => name);
      return {
        group: group.value === "" ? undefined : group.value,
        ties: tie.value === "half" ? undefined : tie.value,
        styles: chosen.length === 0 ? undefined : chosen.join(","),
      };
    },
    /** Of the groups that annotators have declared. */
    offer(groups) {
      const names = groups.map((one) => one.group);
      const before = [...group.options].slice(1).map(({ value }) => value);
      if (JSON.stringify(names) === JSON.stringify(before)) return;
      const chosen = group.value;
      group.replaceChildren(
        ...[["", "everybody"], ...names.map((name) => [name, `group ${name}`])].map(([value, words]) =>
          element("option", { value, selected: value === chosen }, words),
        ),
      );
      groupField.hidden = names.length === 0;
    },
  };
}
