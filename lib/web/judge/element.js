// Builds nodes of the page: a tag, attributes, what it listens to, what is in it. Text is text, never markup.
// Must not know what is shown.

/**
 * Attributes that are undefined or false are left out, true stands for an empty one. `text` is text; `on` names events;
 * children that are undefined are left out.
 */
export function make(tag, { text, on = {}, ...attributes } = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : String(value));
  for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  if (text !== undefined) node.textContent = text;
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

/** A button with the key that does the same. */
export function button({ label, key, run, ...attributes }) {
  return make(
    "button",
    { type: "button", ...attributes, on: { click: run } },
    make("span", { text: label }),
    key === undefined ? undefined : make("kbd", { text: key, "aria-hidden": "true" }),
  );
}

/** An attribute is there or not. */
export function toggle(node, name, there) {
  if (there) node.setAttribute(name, "");
  else node.removeAttribute(name);
}
