// Invites people and programs: makes a token and shows it once, as a link where a page takes it. Must not list tokens.

import { address, call } from "../api.js";
import { element, field, markField, select, statusLine } from "./dom.js";

const roles = [
  ["annotator", "judge: compares and rates answers"],
  ["reader", "reader: sees the figures, without names"],
  ["trainer", "trainer: a program that adds items and reads rows"],
  ["owner", "owner: may do all that you may"],
];
const DAY = 86_400_000;
const times = [
  ["", "never"],
  ["7", "in 7 days"],
  ["30", "in 30 days"],
  ["90", "in 90 days"],
];

/** `changed()`: there is a person or token more. */
export function invitePanel({ project, changed }) {
  const name = element("input", { type: "text", required: true, maxlength: 200, autocomplete: "off" });
  const group = element("input", { type: "text", maxlength: 200, autocomplete: "off" });
  const role = select({}, roles, "annotator");
  const expires = select({}, times, "");
  const said = statusLine();
  const shown = element("div", { class: "once-place" });
  const groupField = field({
    label: "Group (optional)",
    control: group,
  });
  role.addEventListener("change", () => {
    groupField.hidden = role.value !== "annotator";
  });

  async function make({ role: asked, annotator, called, lasts }) {
    const body = { role: asked, name: called, ...(annotator === undefined ? {} : { annotator }) };
    if (lasts !== "") body.expires = Date.now() + Number(lasts) * DAY;
    const { token } = await call("POST", "/v1/tokens", { body });
    shown.replaceChildren(onceShown({ role: asked, called, token, project }));
    shown.querySelector("input").select();
    said.say(`Made for ${called}.`);
    changed();
  }

  async function submit(event) {
    event.preventDefault();
    const called = name.value.trim();
    markField(name, called === "" ? "Say who it is for." : undefined);
    if (called === "") return name.focus();
    try {
      const annotator = role.value === "annotator" ? idFor(called) : undefined;
      if (annotator !== undefined)
        await call("POST", "/v1/annotators", {
          body: {
            annotator,
            name: called,
            ...(group.value.trim() === "" ? {} : { group: group.value.trim() }),
          },
        });
      await make({ role: role.value, annotator, called, lasts: expires.value });
      name.value = "";
    } catch (error) {
      said.say(error.message, true);
    }
  }

  const place = element(
    "div",
    {},
    element(
      "form",
      { class: "fields", novalidate: true, on: { submit } },
      field({ label: "Name", control: name }),
      field({ label: "May", control: role }),
      groupField,
      field({ label: "The link ends", control: expires }),
      element("button", { type: "submit", class: "primary" }, "Invite"),
    ),
    said.line,
    shown,
  );
  return {
    place,
    /** For somebody who has lost theirs; the old one works until it is revoked. */
    async again(annotator, called) {
      try {
        await make({ role: "annotator", annotator, called, lasts: "" });
        shown.scrollIntoView({ block: "center" });
      } catch (error) {
        said.say(error.message, true);
      }
    },
  };
}

/** Readable, and of nobody else: two people may share a name. */
function idFor(name) {
  const readable = name
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 40);
  const bytes = crypto.getRandomValues(new Uint8Array(4));
  return `${readable || "person"}-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

function onceShown({ role, called, token, project }) {
  const page = role === "annotator" ? "/" : "/dashboard";
  const isLink = role !== "trainer";
  const text = isLink ? `${location.origin}${address(page)}#token=${token}` : token;
  const input = element("input", {
    type: "text",
    readonly: true,
    value: text,
    "aria-label": `${isLink ? "Link" : "Token"} for ${called}`,
  });
  const said = statusLine();
  const copy = element(
    "button",
    { type: "button", class: "primary", on: { click: () => copyText(input, said) } },
    "Copy",
  );
  return element(
    "div",
    { class: "notice once" },
    element("h3", {}, isLink ? `Link for ${called}` : `Token for ${called}, project ${project}`),
    element(
      "p",
      {},
      isLink
        ? "Send it in private: whoever has it is taken for this person. It is shown this once. Opened in this browser it would sign you out here: use a private window to try it."
        : "Keep it in private: whoever has it may do what it may. It is shown this once. Programs send it as Authorization: Bearer.",
    ),
    element("div", { class: "copying" }, input, copy),
    said.line,
  );
}

/** Without https a browser has no clipboard for scripts: then the text is selected, and a key copies it. */
async function copyText(input, said) {
  input.select();
  try {
    await navigator.clipboard.writeText(input.value);
    said.say("Copied.");
  } catch {
    said.say("It is selected: press Ctrl+C to copy.");
  }
}
