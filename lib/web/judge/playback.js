// Plays clips side by side by one clock, so that they stay together. Must not know what they show.

const SLACK = 1e-6;

/**
 * `clips` are `{ frames, fps }`. `show(places)` is told which frame of each is on, `changed()` that it plays, stands or moved.
 * Behind its end a clip stands still until the longest one has ended.
 */
export function playback({ clips, show, changed }) {
  const seconds = Math.max(...clips.map(({ frames, fps }) => frames / fps));
  const step = 1 / Math.max(...clips.map(({ fps }) => fps));
  const count = Math.max(1, Math.ceil(seconds / step - SLACK));
  let time = 0;
  let before;
  let request;

  function draw() {
    show(clips.map(({ frames, fps }) => Math.min(frames - 1, Math.floor(time * fps + SLACK))));
    changed();
  }
  function position() {
    return Math.min(count - 1, Math.floor(time / step + SLACK));
  }
  function tick(now) {
    // A page that was in the background goes on where it was.
    time += Math.min(0.25, (now - (before ?? now)) / 1000);
    before = now;
    if (time >= seconds) {
      time = (count - 1) * step;
      request = undefined;
    } else request = requestAnimationFrame(tick);
    draw();
  }
  function pause() {
    if (request !== undefined) cancelAnimationFrame(request);
    request = undefined;
  }
  return {
    count,
    position,
    draw,
    get playing() {
      return request !== undefined;
    },
    /** From the beginning where they have ended. */
    play() {
      if (request !== undefined) return;
      if (position() === count - 1) time = 0;
      before = undefined;
      request = requestAnimationFrame(tick);
      draw();
    },
    pause() {
      pause();
      draw();
    },
    /** So many frames on, or back. */
    move(by) {
      pause();
      time = Math.max(0, Math.min(count - 1, position() + by)) * step;
      draw();
    },
    close: pause,
  };
}
