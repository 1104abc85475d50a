// Fetches an answer's pictures from the service and makes them ready to be drawn. Must not show them.

import { call } from "../api.js";

/** Of one answer, all of them; `at` is its address. @throws CallError, Error for what is no picture */
export async function loadFrames({ at, signal }) {
  const frames = [];
  for (let from = 0; from !== undefined; ) {
    const part = await call("GET", `${at}/frames`, { query: { from }, signal });
    frames.push(...part.frames);
    from = part.next;
  }
  return Promise.all(frames.map(decoded));
}

async function decoded({ type, data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const picture = new Image();
  picture.src = URL.createObjectURL(new Blob([bytes], { type }));
  try {
    await picture.decode();
  } catch {
    letGo([picture]);
    throw new Error("A picture is broken.");
  }
  return picture;
}

/** What is not shown any more takes no memory. */
export function letGo(pictures) {
  for (const { src } of pictures) URL.revokeObjectURL(src);
}
