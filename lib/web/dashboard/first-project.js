// Makes the first project of an empty store. Must not change one.

import { call } from "../api.js";
import { element, field, markField, statusLine } from "./dom.js";

/** Resolves to the project. */
export function firstProject() {
  return new Promise((resolve) => {
    const name = element("input", { type: "text", maxlength: 200, autocomplete: "off" });
    const id = element("input", { type: "text", maxlength: 100, autocomplete: "off", spellcheck: "false" });
    const said = statusLine();
    name.addEventListener("input", () => {
      id.value = name.value
        .toLowerCase()
        .replace(/[^a-z0-9._-]+/g, "-")
        .replace(/^[^a-z0-9]+|-+$/g, "")
        .slice(0, 100);
    });
    const submit = async (event) => {
      event.preventDefault();
      const project = { project: id.value, name: name.value.trim() };
      for (const control of [name, id])
        markField(control, control.value.trim() === "" ? "Expected a name." : undefined);
      if (project.project === "" || project.name === "") return;
      try {
        await call("POST", "/v1/projects", { body: project });
        resolve(project);
      } catch (error) {
        if (error.field === "project") markField(id, error.message);
        else said.say(error.message, true);
      }
    };
    document.body.replaceChildren(
      element(
        "main",
        { class: "alone" },
        element("h1", {}, "Your first project"),
        element("p", {}, "A project holds what is asked, of whom, and all that they say."),
        element(
          "form",
          { novalidate: true, on: { submit } },
          field({ label: "Name", control: name }),
          field({
            label: "Id",
            hint: "In addresses: a-z, 0-9, dots and dashes. It stays as it is.",
            control: id,
          }),
          element("button", { type: "submit", class: "primary" }, "Make the project"),
          said.line,
        ),
      ),
    );
    name.focus();
  });
}
