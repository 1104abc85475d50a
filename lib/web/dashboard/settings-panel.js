// The project's settings as a form made of their schema; what the service refuses is said at the field. Must not know them.

import { call } from "../api.js";
import { element, markField, statusLine, swap } from "./dom.js";
import { NOT_A_VALUE, schemaField, titleOf } from "./schema-form.js";

/** `changed()`: they are others now. */
export function settingsPanel({ changed }) {
  const place = element("div", {});
  const said = statusLine();
  let fields = [];
  let before = {};

  async function load() {
    try {
      const { settings, schema } = await call("GET", "/v1/settings");
      before = settings;
      fields = Object.entries(schema.properties).map(([name, part]) => ({
        name,
        ...schemaField({ schema: part, value: settings[name], path: name, label: titleOf(name) }),
      }));
      show();
    } catch (error) {
      said.say(error.message, true);
    }
  }
  function show() {
    // Groups of fields have a line of their own.
    const single = fields.filter(({ place: one }) => one.tagName !== "FIELDSET");
    const groups = fields.filter(({ place: one }) => one.tagName === "FIELDSET");
    swap(
      place,
      element(
        "form",
        { novalidate: true, on: { submit: save } },
        groups.map(({ place: one }) => one),
        element(
          "div",
          { class: "fields" },
          single.map(({ place: one }) => one),
        ),
        element(
          "div",
          { class: "buttons" },
          element("button", { type: "submit", class: "primary" }, "Save settings"),
        ),
        said.line,
      ),
    );
  }
  async function save(event) {
    event.preventDefault();
    for (const control of place.querySelectorAll("[aria-invalid]")) markField(control);
    const changes = {};
    for (const { name, value } of fields) {
      const now = value();
      if (now === NOT_A_VALUE) return refuse({ message: "Expected a number." }, firstBad());
      if (now === undefined)
        return refuse({ message: "Expected a value but this is empty." }, controlOf(name));
      if (JSON.stringify(now) !== JSON.stringify(before[name])) changes[name] = now;
    }
    if (Object.keys(changes).length === 0) return said.say("Nothing was changed.");
    said.say("Saving …");
    try {
      await call("PUT", "/v1/settings", { body: changes });
      ({ settings: before } = await call("GET", "/v1/settings"));
      said.say("Saved.");
      changed();
    } catch (error) {
      refuse(error, controlOf(error.field));
    }
  }
  const firstBad = () => [...place.querySelectorAll("input")].find(({ validity }) => validity.badInput);
  function refuse({ message }, control) {
    said.say(control === undefined ? message : "Not saved: see the field that is marked.", true);
    if (control === undefined) return;
    // The service names the field in front; it stands there already.
    markField(control, message.replace(/^settings\.[\w.]+: /, ""));
    control.focus();
  }
  /** Of the field that an error names, or of what it is in. */
  function controlOf(path) {
    for (let name = path ?? ""; name !== ""; name = name.replace(/\.?[^.]*$/, "")) {
      const found = place.querySelector(`[data-field="${CSS.escape(name)}"]`);
      if (found?.hasAttribute("aria-describedby")) return found;
    }
    return undefined;
  }
  return { place, load };
}
