// The annotators' page begins here: who one is, which project, then the work. Must not know items.

import { address, call, enter, useProject } from "../api.js";
import { recall, remember } from "./browser-memory.js";
import { make } from "./element.js";
import { frame } from "./frame.js";
import { patiently } from "./patience.js";
import { signIn, signInAgain } from "./sign-in.js";
import { wordsOf } from "./words.js";
import { newShift, work } from "./work.js";

async function start() {
  const me = await whoIsThere();
  const project = chosenProject(me);
  if (me.annotator === undefined || project === undefined) {
    stop(
      me,
      me.annotator === undefined ? "Your token belongs to nobody who judges." : "There is no project yet.",
    );
    return;
  }
  useProject(project);
  remember("project", project);
  document.title = `${me.projects.find((one) => one.project === project)?.name ?? project} · attune`;
  const open = (actions) => frame({ me, project, run: { ...actions, signOut, project: changeProject } });
  const shift = newShift({ who: `${project}:${me.annotator}`, open, signInAgain });
  try {
    await work(shift);
  } catch (error) {
    stop(me, wordsOf(error));
  }
}

async function whoIsThere() {
  let why;
  try {
    const me = await patiently(() => entered(), { kept: "", signInAgain: () => Promise.resolve() });
    if (me !== undefined) return me;
  } catch (error) {
    why = wordsOf(error);
  }
  return signIn(why);
}

/** A link's token that is out of use is told, not asked for again. */
async function entered() {
  try {
    return await enter();
  } catch (error) {
    if (error.status !== 401) throw error;
    throw Object.assign(new Error(error.message), { status: 400 });
  }
}

/** By the address, else the one of last time, else the first. */
function chosenProject({ projects }) {
  const known = (name) => projects.some(({ project }) => project === name);
  return (
    [new URLSearchParams(location.search).get("project"), recall("project")].find(known) ??
    projects[0]?.project
  );
}

function changeProject(name) {
  location.search = `?project=${encodeURIComponent(name)}`;
}

async function signOut() {
  await patiently((signal) => call("DELETE", "/v1/session", { signal }), {
    kept: "",
    signInAgain: () => Promise.resolve(),
  });
  location.href = location.pathname;
}

function stop(me, why) {
  document.body.replaceChildren(
    make(
      "main",
      { class: "alone" },
      make("h1", { text: "Nothing to judge here" }),
      make("p", { text: why }),
      me.role === "owner"
        ? make("p", {}, make("a", { href: address("/dashboard"), text: "Open the dashboard" }))
        : undefined,
      make("button", { type: "button", text: "Sign in with another token", on: { click: signOut } }),
    ),
  );
}

// Another link, opened in the same window, changes nothing but the address's end.
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) location.reload();
});
start();
