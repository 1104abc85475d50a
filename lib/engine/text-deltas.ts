// Text of tokens as they arrive: pieces that never cut a character and stop before a stop string.
// Must not know how tokens are drawn.

import type { Tokenizer } from "../text/index.js";

export interface TextDeltasOptions {
  readonly tokenizer: Pick<Tokenizer, "decode" | "tokenOf">;
  /** Texts that end the answer; they are left out of it. */
  readonly stop: readonly string[];
}

/** What a token added. */
export interface TextDelta {
  readonly text: string;
  /** A stop string was completed: the text ends before it, and nothing may follow. */
  readonly stopped: boolean;
}

/** Stands for bytes that are no whole character yet. */
const BROKEN = "\uFFFD";
/** A token for one byte, in vocabularies that spell rare characters so. A run of them is decoded as one. */
const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/;

export class TextDeltas {
  readonly #decode: (ids: readonly number[]) => string;
  readonly #isByte: (id: number) => boolean;
  readonly #stop: readonly string[];
  readonly #ids: number[] = [];
  /** Ids before `#read` have become text; those from `#window` on are decoded again to see what a token adds. */
  #window = 0;
  #read = 0;
  /** All text so far, and how much of it was given away. */
  #text = "";
  #given = 0;

  constructor({ tokenizer, stop }: TextDeltasOptions) {
    this.#decode = (ids) => tokenizer.decode(ids, { skipSpecial: true });
    this.#isByte = (id) => BYTE_TOKEN.test(tokenizer.tokenOf(id) ?? "");
    this.#stop = stop;
  }

  push(id: number): TextDelta {
    this.#ids.push(id);
    // A byte that follows may break the whole run.
    if (this.#isByte(id)) return { text: "", stopped: false };
    const before = this.#decode(this.#ids.slice(this.#window, this.#read));
    const after = this.#decode(this.#ids.slice(this.#window));
    // A decoder may strip or join at the window's start: then the text waits for more tokens.
    if (after.length <= before.length || after.endsWith(BROKEN) || !after.startsWith(before))
      return { text: "", stopped: false };
    this.#text += after.slice(before.length);
    this.#window = this.#read;
    this.#read = this.#ids.length;
    return this.#release();
  }

  /** What is still held back, once no token follows. */
  end(): TextDelta {
    const whole = this.#decode(this.#ids);
    if (whole.startsWith(this.#text)) this.#text = whole;
    const delta = this.#release();
    if (delta.stopped) return delta;
    const rest = this.#text.slice(this.#given);
    this.#given = this.#text.length;
    return { text: delta.text + rest, stopped: false };
  }

  #release(): TextDelta {
    const found = this.#stop.map((stop) => this.#text.indexOf(stop, this.#given)).filter((at) => at >= 0);
    const end = found.length > 0 ? Math.min(...found) : this.#text.length - this.#heldBack();
    const text = this.#text.slice(this.#given, end);
    this.#given = end;
    return { text, stopped: found.length > 0 };
  }

  /** Length of the text's end that may be the beginning of a stop string. */
  #heldBack(): number {
    const text = this.#text.slice(this.#given);
    let held = 0;
    for (const stop of this.#stop) {
      for (let length = Math.min(stop.length - 1, text.length); length > held; length--) {
        if (text.endsWith(stop.slice(0, length))) held = length;
      }
    }
    return held;
  }
}
