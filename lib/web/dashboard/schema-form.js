// Makes fields of a JSON Schema: numbers, words, choices, yes or no, groups of these, and lists of one of several forms.
// Must not know what is set.

import { element, field, freshId, select } from "./dom.js";

/** What a field holds that is no value, such as letters in a number: said at the field. */
export const NOT_A_VALUE = Symbol("not a value");

/**
 * `{ place, value() }` for a value that obeys the schema. `path` names it as errors of the service do: `overlap.least`.
 * `value()` is undefined for what was left out.
 */
export function schemaField({ schema, value, path, label }) {
  if (schema.enum !== undefined) return choice({ schema, value, path, label });
  switch (schema.type) {
    case "integer":
    case "number":
      return number({ schema, value, path, label });
    case "boolean":
      return yesOrNo({ schema, value, path, label });
    case "object":
      return group({ schema, value: value ?? {}, path, label });
    case "array":
      return schema.items.oneOf === undefined
        ? words({ schema, value: value ?? [], path, label })
        : forms({ schema, value: value ?? [], path, label });
    default:
      return text({ schema, value, path, label });
  }
}

function number({ schema, value, path, label }) {
  const step = schema.type === "integer" ? 1 : "any";
  const control = element("input", { type: "number", step, min: schema.minimum, max: schema.maximum, value });
  return {
    place: field({ label, hint: schema.description, control, name: path }),
    value() {
      if (control.validity.badInput) return NOT_A_VALUE;
      return control.value === "" ? undefined : Number(control.value);
    },
  };
}

function text({ schema, value, path, label }) {
  const control = element("input", { type: "text", value });
  return {
    place: field({ label, hint: schema.description, control, name: path }),
    value: () => control.value,
  };
}

function choice({ schema, value, path, label }) {
  const control = select(
    {},
    schema.enum.map((one) => [one, one]),
    value,
  );
  return {
    place: field({ label, hint: schema.description, control, name: path }),
    value: () => control.value,
  };
}

function yesOrNo({ schema, value, path, label }) {
  const id = freshId("field");
  const control = element("input", {
    type: "checkbox",
    id,
    checked: value ?? schema.default ?? false,
    "data-field": path,
  });
  const place = element("div", { class: "field check" }, control, element("label", { for: id }, label));
  return { place, value: () => control.checked };
}

/** With commas between. */
function words({ schema, value, path, label }) {
  const control = element("input", { type: "text", value: value.join(", ") });
  const hint = schema.description ?? "several, with commas between";
  return {
    place: field({ label, hint, control, name: path }),
    value: () =>
      control.value
        .split(",")
        .map((word) => word.trim())
        .filter((word) => word !== ""),
  };
}

function group({ schema, value, path, label }) {
  const fields = fieldsOf({ schema, value, path });
  return {
    place: element(
      "fieldset",
      {},
      element("legend", {}, label),
      schema.description && element("p", { class: "hint" }, schema.description),
      element(
        "div",
        { class: "fields" },
        fields.map(({ place }) => place),
      ),
    ),
    value: () => valueFrom(fields),
  };
}

function fieldsOf({ schema, value, path }) {
  return Object.entries(schema.properties).flatMap(([name, part]) => {
    // What tells the forms apart is chosen, not filled in.
    if (part.const !== undefined) return [];
    const inner = path === "" ? name : `${path}.${name}`;
    return [
      { name, ...schemaField({ schema: part, value: value[name], path: inner, label: titleOf(name) }) },
    ];
  });
}

function valueFrom(fields) {
  const values = fields.map(({ name, value }) => [name, value()]);
  if (values.some(([, value]) => value === NOT_A_VALUE)) return NOT_A_VALUE;
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** Each is of one of several forms, told apart by `kind`. */
function forms({ schema, value, path, label }) {
  const kinds = new Map(schema.items.oneOf.map((one) => [one.properties.kind.const, one]));
  const list = element("ol", { class: "forms" });
  let rows = [];
  const add = (one) => {
    const fields = fieldsOf({ schema: kinds.get(one.kind), value: one, path: `${path}.${rows.length}` });
    const row = { kind: one.kind, fields };
    const remove = () => {
      rows = rows.filter((other) => other !== row);
      row.place.remove();
      adding.focus();
    };
    row.place = element(
      "li",
      {},
      element("b", {}, titleOf(one.kind)),
      element(
        "div",
        { class: "fields" },
        fields.map(({ place }) => place),
      ),
      element(
        "button",
        { type: "button", class: "small", "aria-label": `Remove ${one.kind}`, on: { click: remove } },
        "Remove",
      ),
    );
    rows.push(row);
    list.append(row.place);
  };
  for (const one of value) add(one);
  const kind = select(
    { "aria-label": "Kind to add" },
    [...kinds.keys()].map((one) => [one, titleOf(one)]),
    "pair",
  );
  const adding = element(
    "button",
    { type: "button", class: "small", on: { click: () => add({ kind: kind.value }) } },
    "Add",
  );
  // Errors that name no field of a row are said here.
  const holder = element("input", { type: "hidden" });
  const place = element(
    "fieldset",
    {},
    element("legend", {}, label),
    schema.description && element("p", { class: "hint" }, schema.description),
    list,
    element("div", { class: "buttons" }, kind, adding),
    field({ label: "", control: holder, name: path }),
  );
  return {
    place,
    value() {
      const values = rows.map(({ kind: called, fields }) => [called, valueFrom(fields)]);
      if (values.some(([, one]) => one === NOT_A_VALUE)) return NOT_A_VALUE;
      return values.map(([called, one]) => ({ kind: called, ...one }));
    },
  };
}

/** `repeatAfter`: "Repeat after" */
export function titleOf(name) {
  const spaced = name
    .replace(/([a-z])([A-Z])/g, (_, end, start) => `${end} ${start.toLowerCase()}`)
    .replaceAll("_", " ");
  return spaced.slice(0, 1).toUpperCase() + spaced.slice(1);
}
