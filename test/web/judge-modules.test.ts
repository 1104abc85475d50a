// Parts of the annotators' page that need no browser: places in texts, hidden characters, differences, tiers, active time.

import { expect } from "chai";
import { judgeModule } from "./web-modules.js";

interface Piece {
  readonly text: string;
  readonly start: number;
  readonly name?: string;
}
interface Span {
  readonly start: number;
  readonly end: number;
}
type Tiers = readonly (readonly number[])[];

const places = await judgeModule<{
  codePointsBefore(text: string, units: number): number;
  unitsBefore(text: string, codePoints: number): number;
  codePointSpan(text: string, from: number, to: number): Span | undefined;
}>("code-points");
const { piecesOf } = await judgeModule<{ piecesOf(text: string): readonly Piece[] }>("invisible");
const { wordDiff } = await judgeModule<{
  wordDiff(first: string, second: string): readonly { readonly kind: string; readonly text: string }[];
}>("diff");
const tiers = await judgeModule<
  Record<"moveUp" | "moveDown" | "placeLast" | "without", (tiers: Tiers, answer: number) => Tiers> &
    Record<"placeWith" | "placeAbove", (tiers: Tiers, answer: number, other?: number) => Tiers>
>("tiers");
const { ActiveTime, IDLE_MS } = await judgeModule<{
  ActiveTime: new (options: {
    clock: () => number;
    begin?: number;
  }) => {
    sign(): void;
    visible(visible: boolean): void;
    readonly milliseconds: number;
  };
  IDLE_MS: number;
}>("active-time");

describe("places in a text", () => {
  const text = "a🐈b𝄞";

  it("count code points, as JavaScript's own iteration does", () => {
    for (let units = 0; units <= text.length; units++) {
      const whole = [...text.slice(0, units)].filter((one) => !/^\p{Surrogate}$/u.test(one)).length;
      expect(places.codePointsBefore(text, units), String(units)).to.equal(whole);
    }
  });

  it("go back to UTF-16 units", () => {
    const units = [...text, ""].map((_, i) => [...text].slice(0, i).join("").length);
    expect([0, 1, 2, 3, 4].map((count) => places.unitsBefore(text, count))).to.deep.equal(units);
  });

  it("make spans of whole characters, from either end, and none of nothing", () => {
    expect(places.codePointSpan(text, 1, 3)).to.deep.equal({ start: 1, end: 2 });
    expect(places.codePointSpan(text, 3, 1)).to.deep.equal({ start: 1, end: 2 });
    expect(places.codePointSpan(text, 2, 4)).to.deep.equal({ start: 1, end: 3 });
    expect(places.codePointSpan(text, 0, 2)).to.deep.equal({ start: 0, end: 2 });
    expect(places.codePointSpan(text, 4, 4)).to.equal(undefined);
  });
});

describe("hidden characters", () => {
  const named = (text: string) => piecesOf(text).flatMap(({ name }) => (name === undefined ? [] : [name]));

  it("are named, wherever they stand, and the text stays whole", () => {
    const text = "\u202ea\u200bb\0\u{e0041}\ufeff\ud800";
    expect(piecesOf(text).map((piece) => piece.text)).to.deep.equal([
      "\u202e",
      "a",
      "\u200b",
      "b",
      "\0",
      "\u{e0041}",
      "\ufeff",
      "\ud800",
    ]);
    expect(named(text)).to.deep.equal([
      "U+202E right-to-left override",
      "U+200B zero width space",
      "U+0000",
      "U+E0041",
      "U+FEFF byte order mark",
      "U+D800",
    ]);
    for (const { start, text: piece } of piecesOf(text))
      expect(text.slice(start, start + piece.length)).to.equal(piece);
  });

  it("are none in ordinary texts: lines, emoji, scripts that join", () => {
    for (const text of ["a\tb\r\nc", "❤️ 👨‍👩‍👧 1️⃣", "می‌خواهم", "क्‍ष", "naïve – “quotes”…", "汉字かな"])
      expect(named(text), text).to.deep.equal([]);
  });

  it("are named where a joiner joins nothing", () => {
    expect(named("pay\u200dpal a\ufe0f")).to.deep.equal(["U+200D zero width joiner", "U+FE0F"]);
  });
});

describe("differences of two texts", () => {
  const of = (first: string, second: string) =>
    wordDiff(first, second).map(({ kind, text }) => `${{ same: "", removed: "-", added: "+" }[kind]}${text}`);

  it("go by words", () => {
    expect(of("The cat sat.", "The dog sat!")).to.deep.equal(["The ", "-cat", "+dog", " sat", "-.", "+!"]);
    expect(of("a b c", "a c")).to.deep.equal(["a ", "-b ", "c"]);
    expect(of("same", "same")).to.deep.equal(["same"]);
    expect(of("", "new")).to.deep.equal(["+new"]);
    expect(of("", "")).to.deep.equal([]);
  });

  it("leave both texts whole, also of long ones", () => {
    const word = (i: number) => `w${(i * 7919) % 97} `;
    const first = Array.from({ length: 3000 }, (_, i) => word(i)).join("");
    const second = Array.from({ length: 3000 }, (_, i) => word(i * i + 1)).join("");
    const parts = wordDiff(first, second);
    const without = (kind: string) =>
      parts
        .filter((part) => part.kind !== kind)
        .map(({ text }) => text)
        .join("");
    expect(without("added") === first && without("removed") === second).to.equal(true);
  });
});

describe("tiers of a ranking", () => {
  it("take an answer up by half steps: into a tie, out of it", () => {
    const steps = [[[0], [1], [2]]] as Tiers[];
    for (let i = 0; i < 5; i++) steps.push(tiers.moveUp(steps.at(-1) ?? [], 2));
    expect(steps.slice(1)).to.deep.equal([
      [[0], [1, 2]],
      [[0], [2], [1]],
      [[0, 2], [1]],
      [[2], [0], [1]],
      [[2], [0], [1]],
    ]);
  });

  it("take it down in the same way", () => {
    const steps = [[[0], [1]]] as Tiers[];
    for (let i = 0; i < 3; i++) steps.push(tiers.moveDown(steps.at(-1) ?? [], 0));
    expect(steps.slice(1)).to.deep.equal([[[1, 0]], [[1], [0]], [[1], [0]]]);
  });

  it("place, tie, insert and take away", () => {
    expect(tiers.placeLast([[0]], 1)).to.deep.equal([[0], [1]]);
    expect(tiers.placeLast([[0], [1]], 0)).to.deep.equal([[1], [0]]);
    expect(tiers.placeWith([[0], [1]], 2, 0)).to.deep.equal([[0, 2], [1]]);
    expect(tiers.placeAbove([[0], [1]], 2, 1)).to.deep.equal([[0], [2], [1]]);
    expect(tiers.placeAbove([[0], [1]], 0, undefined)).to.deep.equal([[1], [0]]);
    expect(tiers.placeAbove([[0, 1]], 1, 0)).to.deep.equal([[1], [0]]);
    expect(tiers.without([[0, 1], [2]], 2)).to.deep.equal([[0, 1]]);
  });
});

describe("active time", () => {
  const began = (begin?: number) => {
    let now = 1000;
    const time = new ActiveTime({ clock: () => now, ...(begin === undefined ? {} : { begin }) });
    return { time, pass: (milliseconds: number) => (now += milliseconds) };
  };

  it("runs while somebody is there, and goes on from what there was", () => {
    const { time, pass } = began(500);
    pass(20_000);
    time.sign();
    pass(5000);
    expect(time.milliseconds).to.equal(25_500);
  });

  it("stands still when nothing has moved for long", () => {
    const { time, pass } = began();
    pass(10 * IDLE_MS);
    expect(time.milliseconds).to.equal(IDLE_MS);
    time.sign();
    pass(1000);
    expect(time.milliseconds).to.equal(IDLE_MS + 1000);
  });

  it("stands still while the page is hidden", () => {
    const { time, pass } = began();
    pass(1000);
    time.visible(false);
    pass(30_000);
    expect(time.milliseconds).to.equal(1000);
    time.visible(true);
    pass(2000);
    expect(time.milliseconds).to.equal(3000);
  });

  it("takes nothing away when a clock jumps back", () => {
    const { time, pass } = began();
    pass(1000);
    time.sign();
    pass(-5000);
    expect(time.milliseconds).to.equal(1000);
  });
});
