// Answers that are images or clips: equal boxes that are filled together, once all is there; clips with what plays them.
// Stands among the questions of an item. Must not know what is asked.

import { announce } from "./announce.js";
import { button, make } from "./element.js";
import { letGo, loadFrames } from "./frames.js";
import { playback } from "./playback.js";
import { answerName, capital, plural, wordsOf } from "./words.js";

export function isPicture(content) {
  return typeof content === "object" && !Array.isArray(content);
}

/** `at`: the answers' address. `noticed` is told when they are there, or cannot be. Undefined where answers are text. */
export function picturesOf({ answers, at, noticed }) {
  if (!answers.some(isPicture)) return undefined;
  const boxes = answers.map((answer, place) =>
    pictureBox(answer, capital(answerName(place, answers.length))),
  );
  const film = answers.every(({ type }) => type === "clip") ? filmOf(answers, boxes) : undefined;
  const leaving = new AbortController();
  let state = "loading";
  let loaded = [];
  load();

  async function load() {
    state = "loading";
    for (const box of boxes) box.say("Loading…");
    const loading = answers.map((_, place) => loadFrames({ at: `${at}/${place}`, signal: leaving.signal }));
    try {
      loaded = await Promise.all(loading);
      if (leaving.signal.aborted) return;
      for (const [place, box] of boxes.entries()) box.fill(loaded[place]);
      state = "shown";
      film?.begin();
    } catch (error) {
      if (leaving.signal.aborted) return;
      state = "failed";
      // Of some alone nobody could judge.
      Promise.allSettled(loading).then((parts) => letGo(parts.flatMap(({ value = [] }) => value)));
      for (const box of boxes) box.say(`This cannot be shown. ${wordsOf(error)}`, load);
    }
    noticed();
  }
  return {
    kind: "media",
    answerView: (place) => boxes[place].element,
    bar: film === undefined ? undefined : [film.element],
    keys: film === undefined ? [] : film.keys,
    missing: () => ({ loading: "wait until the answers are there", failed: "load the answers again" })[state],
    values: () => [],
    restore() {},
    press: ({ key, shift }) => film !== undefined && state === "shown" && !shift && film.press(key),
    close() {
      leaving.abort();
      film?.close();
      letGo(loaded.flat());
    },
  };
}

function pictureBox(answer, name) {
  const element = make("div", { class: "picture" });
  const canvas = make("canvas", { role: "img", "aria-label": `${name}: ${altOf(answer)}` });
  let pictures = [];
  return {
    element,
    say(text, again) {
      element.replaceChildren(
        make("p", { class: "hint", text }),
        ...(again === undefined ? [] : [button({ label: "Load again", run: again })]),
      );
    },
    fill(loaded) {
      pictures = loaded;
      if (answer.type === "image") {
        loaded[0].alt = answer.alt;
        element.replaceChildren(loaded[0]);
        return;
      }
      canvas.width = loaded[0].naturalWidth;
      canvas.height = loaded[0].naturalHeight;
      element.replaceChildren(canvas);
    },
    draw(frame) {
      canvas.getContext("2d").drawImage(pictures[frame], 0, 0, canvas.width, canvas.height);
    },
  };
}

function altOf({ type, alt, frames, fps }) {
  if (type === "image") return alt;
  const length = `a clip of ${plural(frames, "frame")}, ${Number((frames / fps).toFixed(1))} seconds`;
  return alt === undefined ? length : `${alt} (${length})`;
}

/** One row of buttons for all clips. */
function filmOf(clips, boxes) {
  const film = playback({
    clips,
    show: (places) => {
      for (const [place, frame] of places.entries()) boxes[place].draw(frame);
    },
    changed: show,
  });
  const toggled = button({ label: "Play", key: "Space", run: toggle, class: "play", disabled: true });
  const back = button({ label: "Frame back", key: ",", run: () => move(-1), disabled: true });
  const on = button({ label: "Next frame", key: ".", run: () => move(1), disabled: true });
  const bar = make("progress", { max: film.count, value: 0, "aria-label": "How far the clips are" });
  const where = make("span", { class: "where" });
  const label = clips.length === 1 ? "The clip" : "Both clips together";
  const element = make(
    "div",
    { class: "film", role: "group", "aria-label": clips.length > 2 ? "All clips together" : label },
    ...[toggled, back, on, bar, where],
  );

  function show() {
    const text = `Frame ${film.position() + 1} of ${film.count}`;
    if (where.textContent !== text) where.textContent = text;
    bar.value = film.position() + 1;
    const does = film.playing ? "Pause" : "Play";
    if (toggled.firstChild.textContent !== does) toggled.firstChild.textContent = does;
  }
  function toggle() {
    if (film.playing) film.pause();
    else film.play();
    announce(film.playing ? "Playing" : `Paused. ${where.textContent}`);
  }
  function move(by) {
    film.move(by);
    announce(where.textContent);
  }
  return {
    element,
    keys: [
      ["Space", clips.length === 1 ? "play and pause" : "play and pause, together"],
      [", .", "a frame back, a frame on"],
    ],
    /** Whoever wants less motion starts it. */
    begin() {
      for (const one of [toggled, back, on]) one.disabled = false;
      film.draw();
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) film.play();
    },
    press(key) {
      if (key === " ") toggle();
      else if (key === "," || key === ".") move(key === "." ? 1 : -1);
      else return false;
      return true;
    },
    close: film.close,
  };
}
