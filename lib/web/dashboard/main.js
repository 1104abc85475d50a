// The owner's dashboard: who looks, which project, what is shown and how often it is asked for. Must not draw figures.

import { address, enter, useProject } from "../api.js";
import { addItemsPanel } from "./add-items-panel.js";
import { agreementPanel } from "./agreement-panel.js";
import { attentionPanel } from "./attention.js";
import { element, select } from "./dom.js";
import { drawn } from "./drawn.js";
import { backupPanel, exportPanel } from "./export-panel.js";
import { firstProject } from "./first-project.js";
import { clockTime } from "./format.js";
import { guidelinesPanel } from "./guidelines-panel.js";
import { importPanel } from "./import-panel.js";
import { invitePanel } from "./invite-panel.js";
import { itemsPanel } from "./items-panel.js";
import { keepAsking } from "./live.js";
import { loopPanel } from "./loop-panel.js";
import { peoplePanel } from "./people-panel.js";
import { progressPanel, ratePanel } from "./progress-panel.js";
import { ratingsChoice } from "./ratings-choice.js";
import { ratingsPanel } from "./ratings-panel.js";
import { settingsPanel } from "./settings-panel.js";
import { sidePanel } from "./side-panel.js";
import { refused, signIn, signOut } from "./sign-in.js";
import { tokensPanel } from "./tokens-panel.js";
import { frame } from "./views.js";

const SECOND = 1000;

async function begin() {
  let me;
  try {
    me = (await enter()) ?? (await signIn());
  } catch (error) {
    me = await signIn(error.message);
  }
  if (me.role !== "owner" && me.role !== "reader") return refused(me.role);
  const chosen = await projectOf(me);
  if (chosen === undefined) return refused(me.role);
  useProject(chosen.project);
  board({ me, chosen });
}

/** The one that was looked at last, or the first. */
async function projectOf({ role, projects }) {
  if (projects.length === 0) return role === "owner" ? firstProject() : undefined;
  const asked = new URLSearchParams(location.search).get("project");
  return projects.find(({ project }) => project === asked) ?? projects[0];
}

function sourcesFor(mayChange, choice) {
  const owners = mayChange
    ? [
        {
          name: "gold",
          path: "/v1/items",
          query: { gold: true, most: 1 },
          read: ({ items }) => items.length,
          everyMs: 60 * SECOND,
          afterEvents: true,
        },
        { name: "store", path: "/v1/settings", read: ({ store }) => store, everyMs: 3600 * SECOND },
      ]
    : [];
  return [
    { name: "progress", path: "/v1/progress", everyMs: 3 * SECOND },
    { name: "hours", path: "/v1/rate", query: { by: "hour", last: 48 }, everyMs: 15 * SECOND },
    { name: "days", path: "/v1/rate", query: { by: "day", last: 30 }, everyMs: 60 * SECOND },
    { name: "people", path: "/v1/annotators", everyMs: 15 * SECOND, afterEvents: true },
    { name: "agreement", path: "/v1/agreement", everyMs: 15 * SECOND, afterEvents: true },
    { name: "ratings", path: "/v1/ratings", everyMs: 15 * SECOND, afterEvents: true },
    // What somebody looks at; alarms and the side's figures go on with those of everybody.
    { name: "chosen", path: "/v1/ratings", query: choice.query, everyMs: 15 * SECOND, afterEvents: true },
    {
      name: "guidelines",
      path: "/v1/guidelines",
      read: ({ version }) => version,
      everyMs: 60 * SECOND,
      afterEvents: true,
    },
    { name: "loop", path: "/v1/loop", everyMs: 5 * SECOND, optional: true },
    ...owners,
  ];
}

function board({ me, chosen }) {
  const mayChange = me.role === "owner";
  const state = element("span", { class: "state" }, "asking…");
  const facts = {};
  // Views open before the first call is made.
  let asking;
  const refresh = (...names) => asking?.refresh(...names);
  const choice = ratingsChoice({ changed: () => refresh("chosen") });
  const parts = mayChange ? ownParts(chosen, refresh, () => facts) : undefined;
  const places = {
    attention: drawn({
      needs: ["progress", "people", "ratings"],
      uses: ["gold", "guidelines", "loop"],
      draw: (facts) => attentionPanel(facts, mayChange),
    }),
    progress: drawn({ needs: ["progress"], uses: ["hours"], draw: progressPanel }),
    rate: drawn({ needs: ["hours", "days"], draw: ratePanel }),
    loop: drawn({ needs: ["loop"], draw: loopPanel }),
    agreement: drawn({ needs: ["agreement"], draw: agreementPanel }),
    side: drawn({ needs: ["people"], draw: sidePanel }),
    ratings: drawn({ needs: ["chosen"], draw: ratingsPanel }),
    people: drawn({ needs: ["people"], draw: (facts) => peoplePanel(facts, parts?.invite.again) }),
    backup: drawn({ needs: ["store"], draw: backupPanel }),
  };
  const views = viewsOf(places, parts, choice);
  frame({ title: chosen.name, views, tools: toolsFor({ me, chosen, state }) });
  const loopPlace = document.querySelector("#loop");
  loopPlace.hidden = true;
  let before;
  asking = keepAsking({
    facts,
    sources: sourcesFor(mayChange, choice),
    took() {
      for (const place of Object.values(places)) place.update(facts);
      choice.offer(facts.people?.groups ?? []);
      loopPlace.hidden = facts.loop === undefined;
      if (before !== facts.people) parts?.tokens.show();
      before = facts.people;
      state.textContent = `live, ${clockTime(Date.now())}`;
      state.classList.remove("bad");
    },
    failed(error) {
      if (error.status === 401) return location.reload();
      state.textContent = error.message;
      state.classList.add("bad");
    },
  });
}

/** What owners change. */
function ownParts(chosen, refresh, facts) {
  const namesOf = () =>
    new Map((facts().people?.annotators ?? []).map(({ annotator, name }) => [annotator, name]));
  const tokens = tokensPanel({ namesOf });
  const items = itemsPanel({ namesOf, changed: () => refresh("progress", "gold", "people") });
  return {
    tokens,
    items,
    invite: invitePanel({
      project: chosen.project,
      changed() {
        tokens.load();
        refresh("people");
      },
    }),
    addItems: addItemsPanel({
      added() {
        items.load();
        refresh("progress", "hours", "gold");
      },
    }),
    imports: importPanel({
      added() {
        items.load();
        refresh("progress", "hours", "gold", "people", "agreement", "ratings", "chosen");
      },
    }),
    guidelines: guidelinesPanel({ changed: () => refresh("guidelines") }),
    settings: settingsPanel({ changed: () => refresh("progress", "agreement") }),
    exports: exportPanel({ project: chosen.project }),
    itemCounts: () => facts().progress?.items,
  };
}

function viewsOf(places, parts, choice) {
  const panel = (title, { place }, id) => ({ title, place, id });
  const overview = [
    panel("What needs you", places.attention, "attention"),
    panel("Progress", places.progress, "progress"),
    panel("Pace", places.rate, "pace"),
    panel("The loop", places.loop, "loop"),
  ];
  const quality = [
    panel("Agreement", places.agreement, "agreement"),
    panel("Side bias", places.side, "side"),
    {
      title: "Ratings of models",
      place: element("div", {}, choice.place, places.ratings.place),
      id: "ratings",
    },
  ];
  const people = [panel("Annotators", places.people, "annotators")];
  const views = [
    { id: "overview", name: "Overview", panels: overview },
    { id: "quality", name: "Quality", panels: quality },
  ];
  if (parts === undefined) return [...views, { id: "people", name: "People", panels: people }];
  const openItems = once(() => {
    const counts = parts.itemCounts();
    if (counts === undefined) return;
    if (counts.disputed > 0) parts.items.choose("state=disputed");
    if (Object.values(counts).every((count) => count === 0)) parts.addItems.open();
  });
  return [
    ...views,
    {
      id: "people",
      name: "People",
      panels: [...people, panel("Invite", parts.invite, "invite"), panel("Tokens", parts.tokens, "tokens")],
      opened: () => parts.tokens.load(),
    },
    {
      id: "items",
      name: "Items",
      panels: [
        panel("Add items", parts.addItems, "add-items"),
        panel("Import judgements", parts.imports, "imports"),
        panel("Items", parts.items, "items"),
      ],
      opened() {
        openItems();
        parts.items.load();
      },
    },
    {
      id: "setup",
      name: "Set-up",
      panels: [
        panel("Guidelines", parts.guidelines, "guidelines"),
        panel("Settings", parts.settings, "settings"),
      ],
      opened: once(() => {
        parts.guidelines.load();
        parts.settings.load();
      }),
    },
    {
      id: "export",
      name: "Export",
      panels: [
        { title: "Export", place: parts.exports, id: "exports" },
        panel("Backup", places.backup, "backup"),
      ],
    },
  ];
}

/** What an owner has chosen or half filled in since stays. */
function once(run) {
  let done = false;
  return () => {
    if (!done) run();
    done = true;
  };
}

function toolsFor({ me, chosen, state }) {
  const { projects, role, annotator, name } = me;
  const chooser =
    projects.length > 1 &&
    select(
      { "aria-label": "Project" },
      projects.map(({ project, name: called }) => [project, called]),
      chosen.project,
    );
  if (chooser)
    chooser.addEventListener("change", () => {
      location.search = new URLSearchParams({ project: chooser.value });
    });
  return [
    state,
    chooser,
    annotator !== undefined && element("a", { href: address("/") }, "Judge"),
    element(
      "button",
      { type: "button", class: "small", on: { click: signOut } },
      `Sign out (${name ?? role})`,
    ),
  ];
}

await begin();
