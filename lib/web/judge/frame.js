// What stands around the work: whose page it is, how far one is, guidelines, undo, help, the way out; and the places for the
// item and for what is to be chosen. Must not know items.

import { address } from "../api.js";
import { announcer } from "./announce.js";
import { button, make } from "./element.js";
import { noticeRegion } from "./notices.js";

/** `run` has `guidelines`, `undo`, `help`, `signOut` and `project(name)`. */
export function frame({ me, project, run }) {
  const progress = make("p", { class: "progress", "aria-label": "Your progress" });
  const main = make("main", { id: "work" });
  const bar = make("section", { class: "foot", "aria-label": "Your judgement" });
  const top = make(
    "header",
    { class: "top" },
    projectPart({ me, project, run }),
    progress,
    make(
      "nav",
      { class: "row", "aria-label": "Page" },
      button({ label: "Guidelines", key: "g", run: run.guidelines }),
      button({ label: "Undo", key: "u", run: run.undo }),
      button({ label: "Keys", key: "?", run: run.help }),
    ),
    make(
      "div",
      { class: "row who" },
      make("span", { text: me.name ?? me.annotator ?? me.role }),
      me.role === "owner" ? make("a", { href: dashboard(project), text: "Dashboard" }) : undefined,
      button({ label: "Sign out", run: run.signOut }),
    ),
  );
  document.body.replaceChildren(top, main, bar, announcer());
  bar.append(noticeRegion());
  return {
    /** What is to be judged, and what is to be chosen. */
    show(item, choices) {
      main.replaceChildren(item);
      bar.replaceChildren(noticeRegion(), ...(choices === undefined ? [] : [choices]));
      scrollTo(0, 0);
    },
    progress({ today, judgements }) {
      progress.replaceChildren(
        make("strong", { text: String(today) }),
        " today · ",
        make("strong", { text: String(judgements) }),
        " in all",
      );
    },
  };
}

function dashboard(project) {
  return address(project === undefined ? "/dashboard" : `/dashboard?project=${encodeURIComponent(project)}`);
}

function projectPart({ me, project, run }) {
  const name = me.projects.find((one) => one.project === project)?.name ?? "attune";
  if (me.projects.length < 2) return make("p", { class: "project", text: name });
  const choice = make(
    "select",
    { "aria-label": "Project", on: { change: () => run.project(choice.value) } },
    ...me.projects.map((one) =>
      make("option", { value: one.project, text: one.name, selected: one.project === project }),
    ),
  );
  return make("p", { class: "project" }, choice);
}
