// Builds elements from words that are never read as HTML, and puts new ones in the place of old without losing the focus.
// Must not know what is shown.

const SVG = "http://www.w3.org/2000/svg";

/** Attributes that are undefined or false are left out; `on` holds listeners; children are nodes, words, or lists of them. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(made, { on = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  for (const [event, listener] of Object.entries(on)) made.addEventListener(event, listener);
  made.append(...nodesOf(children));
  return made;
}

function nodesOf(children) {
  return children
    .flat(4)
    .filter((child) => child !== undefined && child !== null && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** Whatever has the focus gives it to the new element of the same `data-key`; open details stay open. */
export function swap(place, ...children) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset?.key : undefined;
  const open = new Set([...place.querySelectorAll("details[open][data-key]")].map((one) => one.dataset.key));
  place.replaceChildren(...nodesOf(children));
  for (const one of place.querySelectorAll("details[data-key]")) one.open = open.has(one.dataset.key);
  if (focused !== undefined) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

let ids = 0;

/** For labels and what they name. */
export function freshId(name) {
  ids += 1;
  return `${name}-${ids}`;
}

/** A labelled field: the label, what it is for, the control, and a place for what is wrong with it. */
export function field({ label, hint, control, name }) {
  const id = control.id === "" ? freshId("field") : control.id;
  control.id = id;
  const wrong = element("p", { class: "wrong", id: `${id}-wrong`, role: "alert", hidden: true });
  const about = hint === undefined ? undefined : element("p", { class: "hint", id: `${id}-hint` }, hint);
  const describers = [about?.id, wrong.id].filter((one) => one !== undefined).join(" ");
  control.setAttribute("aria-describedby", describers);
  if (name !== undefined) control.dataset.field = name;
  return element("div", { class: "field" }, element("label", { for: id }, label), control, wrong, about);
}

/** Says at a field what is wrong with it; undefined: nothing. */
export function markField(control, message) {
  const wrong = document.getElementById(`${control.id}-wrong`);
  wrong.textContent = message ?? "";
  wrong.hidden = message === undefined;
  if (message === undefined) control.removeAttribute("aria-invalid");
  else control.setAttribute("aria-invalid", "true");
}

/** A list to choose from: `[value, words]`. */
export function select(attributes, options, chosen) {
  return element(
    "select",
    attributes,
    options.map(([value, words]) => element("option", { value, selected: value === chosen }, words)),
  );
}

/** Where something is said of what was done; readers of the screen hear it. */
export function statusLine() {
  const line = element("p", { class: "said", role: "status" });
  return {
    line,
    say(words, bad = false) {
      line.textContent = words;
      line.classList.toggle("bad", bad);
    },
  };
}
