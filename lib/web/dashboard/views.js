// The page's frame: a heading, a list of views, and one of them shown, as the address says. Must not know what views show.

import { element } from "./dom.js";

/** `views`: `{ id, name, panels: [{ title, place, id? }], opened?() }`. */
export function frame({ title, views, tools }) {
  const links = new Map();
  const sections = new Map();
  for (const { id, name, panels } of views) {
    links.set(id, element("a", { href: `#${id}` }, name));
    sections.set(
      id,
      element(
        "section",
        { id: `view-${id}`, "aria-label": name, hidden: true },
        panels.map(({ title: heading, place, id: own }) =>
          element("article", { class: "panel", id: own }, element("h2", {}, heading), place),
        ),
      ),
    );
  }
  const main = element("main", { id: "main", tabindex: -1 }, [...sections.values()]);
  const skip = (event) => {
    // The address stays: it names the view.
    event.preventDefault();
    main.focus();
  };
  document.title = `${title} · attune`;
  document.body.replaceChildren(
    element("a", { class: "skip", href: "#main", on: { click: skip } }, "Skip to the figures"),
    element(
      "header",
      { class: "top" },
      element("h1", {}, title),
      element("div", { class: "tools" }, tools),
      element("nav", { "aria-label": "Views" }, [...links.values()]),
    ),
    main,
  );
  const show = () => {
    const asked = location.hash.slice(1);
    const shown = sections.has(asked) ? asked : views[0].id;
    for (const { id, opened } of views) {
      const isShown = id === shown;
      const wasShown = !sections.get(id).hidden;
      sections.get(id).hidden = !isShown;
      if (isShown) links.get(id).setAttribute("aria-current", "page");
      else links.get(id).removeAttribute("aria-current");
      if (isShown && !wasShown) opened?.();
    }
    links.get(shown).scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  addEventListener("hashchange", () => {
    show();
    scrollTo(0, 0);
  });
  show();
  return { isShown: (id) => !sections.get(id).hidden };
}
