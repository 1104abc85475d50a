// Time that somebody is at it: it stands still while the page is hidden and when nothing has moved for a minute.
// Must not know what for.

/** Without a sign of life for so long, somebody is away; reading moves nothing either, so it is not short. */
export const IDLE_MS = 60_000;

const signs = ["keydown", "pointerdown", "pointermove", "wheel", "scroll", "input"];

export class ActiveTime {
  #sum;
  #last;
  #visible = true;
  #clock;

  /** `clock` gives milliseconds; `begin`: what there was before. */
  constructor({ clock, begin = 0 }) {
    this.#clock = clock;
    this.#sum = begin;
    this.#last = clock();
  }

  /** Somebody moved. */
  sign() {
    if (this.#visible) this.#sum += this.#sinceLast();
    this.#last = this.#clock();
  }

  visible(visible) {
    if (visible === this.#visible) return;
    this.sign();
    this.#visible = visible;
  }

  get milliseconds() {
    return Math.round(this.#sum + (this.#visible ? this.#sinceLast() : 0));
  }

  #sinceLast() {
    return Math.min(IDLE_MS, Math.max(0, this.#clock() - this.#last));
  }
}

/** Of the page, from now on. `stop` ends the listening. */
export function activeTimeOfPage(begin) {
  const time = new ActiveTime({ clock: () => performance.now(), begin });
  const moved = () => time.sign();
  const turned = () => time.visible(document.visibilityState === "visible");
  for (const sign of signs) addEventListener(sign, moved, { passive: true, capture: true });
  document.addEventListener("visibilitychange", turned);
  turned();
  return {
    time,
    stop() {
      for (const sign of signs) removeEventListener(sign, moved, { capture: true });
      document.removeEventListener("visibilitychange", turned);
    },
  };
}
