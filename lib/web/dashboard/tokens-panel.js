// Who may call: tokens, whose they are, and an end to them. Must not make tokens.

import { call } from "../api.js";
import { element, statusLine, swap } from "./dom.js";
import { moment } from "./format.js";
import { badge, table } from "./table.js";

/** `namesOf()`: names of annotators by id. */
export function tokensPanel({ namesOf }) {
  const list = element("div", {});
  const said = statusLine();
  let tokens = [];
  /** The one that is about to be revoked. */
  let asked;

  async function load() {
    try {
      ({ tokens } = await call("GET", "/v1/tokens"));
      show();
    } catch (error) {
      said.say(error.message, true);
    }
  }
  async function revoke({ token, name }) {
    try {
      await call("POST", `/v1/tokens/${encodeURIComponent(token)}/revoke`);
      said.say(`The token "${name}" opens nothing any more.`);
    } catch (error) {
      said.say(error.message, true);
    }
    asked = undefined;
    await load();
  }
  function show() {
    const names = namesOf();
    swap(
      list,
      table({
        caption: "Tokens",
        rows: tokens,
        rowClass: (one) => stateOf(one) !== "in use" && "over",
        columns: [
          {
            name: "For",
            cell: ({ name, annotator }) => [
              element("span", { class: "name" }, names.get(annotator) ?? name),
              element("small", {}, annotator ?? ""),
            ],
          },
          { name: "Role", cell: ({ role }) => role },
          { name: "Made", cell: ({ created }) => moment(created) },
          {
            name: "State",
            cell: (one) => [
              badge(stateOf(one), stateOf(one) === "in use" ? "good" : "plain"),
              one.expires && stateOf(one) === "in use" && element("small", {}, `ends ${moment(one.expires)}`),
            ],
          },
          { name: "End it", cell: (one) => endCell(one) },
        ],
      }),
    );
  }
  function endCell(one) {
    if (one.own) return element("small", {}, "yours: it opens this page");
    if (stateOf(one) !== "in use") return "";
    const ask = (token) => () => {
      asked = token;
      show();
      list
        .querySelector(`[data-key="${token === undefined ? `revoke-${one.token}` : `sure-${one.token}`}"]`)
        ?.focus();
    };
    const button = (key, words, click, label, kind) =>
      element(
        "button",
        {
          type: "button",
          class: `small ${kind ?? ""}`,
          "data-key": `${key}-${one.token}`,
          "aria-label": label,
          on: { click },
        },
        words,
      );
    if (asked !== one.token)
      return button("revoke", "Revoke", ask(one.token), `Revoke the token of ${one.name}`);
    return [
      button("sure", "Yes, revoke", () => revoke(one), `Yes, revoke the token of ${one.name}`, "danger"),
      " ",
      button("keep", "Keep", ask(undefined), `Keep the token of ${one.name}`),
    ];
  }
  return { place: element("div", {}, said.line, list), load, show };
}

function stateOf({ revoked, expires }) {
  if (revoked !== undefined) return "revoked";
  return expires !== undefined && expires <= Date.now() ? "expired" : "in use";
}
