// The guidelines: what they are, a preview of what people will see, a new version, older ones. Must not render markdown.

import { call } from "../api.js";
import { markdownView } from "../judge/markdown.js";
import { element, field, select, statusLine, swap } from "./dom.js";

/** `changed(version)`: there is a new one. */
export function guidelinesPanel({ changed }) {
  const text = element("textarea", { rows: 12 });
  const preview = element("div", {
    class: "preview",
    tabindex: 0,
    role: "region",
    "aria-label": "Preview of the guidelines",
  });
  const said = statusLine();
  const versions = element("div", {});
  let saved = "";
  let newest = 0;

  const show = () =>
    swap(
      preview,
      text.value.trim() === ""
        ? element("p", { class: "none" }, "Empty: people are told to follow their own judgement.")
        : markdownView(text.value),
    );
  text.addEventListener("input", show);

  async function load() {
    try {
      const { version, text: now } = await call("GET", "/v1/guidelines");
      [newest, saved] = [version, now];
      text.value = now;
      show();
      showVersions();
    } catch (error) {
      said.say(error.message, true);
    }
  }
  function showVersions() {
    if (newest === 0) return swap(versions, element("p", { class: "hint" }, "No version yet."));
    const options = Array.from({ length: newest }, (_, i) => [
      String(newest - i),
      i === 0 ? `version ${newest}, the newest` : `version ${newest - i}`,
    ]);
    const chosen = select({}, options, String(newest));
    chosen.addEventListener("change", () => take(chosen.value));
    swap(
      versions,
      field({
        label: "Version",
        hint: "An older one can be looked at, and saved again as the newest.",
        control: chosen,
      }),
    );
  }
  async function take(version) {
    try {
      text.value = (await call("GET", "/v1/guidelines", { query: { version } })).text;
      show();
    } catch (error) {
      said.say(error.message, true);
    }
  }
  async function save(event) {
    event.preventDefault();
    if (text.value === saved) return said.say("Nothing was changed.");
    try {
      const { version } = await call("PUT", "/v1/guidelines", { body: { text: text.value } });
      [newest, saved] = [version, text.value];
      showVersions();
      said.say(`Saved as version ${version}. People are shown it with their next item.`);
      changed(version);
    } catch (error) {
      said.say(error.message, true);
    }
  }
  const place = element(
    "form",
    { class: "guidelines", novalidate: true, on: { submit: save } },
    versions,
    element(
      "div",
      { class: "pair" },
      field({
        label: "Text",
        hint: "Markdown. Judgements remember the version that was shown.",
        control: text,
      }),
      element("div", {}, element("h4", {}, "Preview"), preview),
    ),
    element(
      "div",
      { class: "buttons" },
      element("button", { type: "submit", class: "primary" }, "Save a new version"),
    ),
    said.line,
  );
  return { place, load };
}
