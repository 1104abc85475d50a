// Whole sessions at the annotators' page in a real browser, one for each kind of judgement: by keyboard alone, by mouse, by
// dragging, on a wide screen and on a narrow one. What was stored is what was said.

import { expect } from "chai";
import type { Browser } from "playwright-core";
import type { ItemInput } from "../../lib/feedback/index.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { hasBrowser, startBrowser } from "./browser.js";
import { type JudgeService, type Seat, startService, takeSeat } from "./judge-service.js";

const WIDTHS = [1280, 390] as const;
const NOTHING = "Nothing to judge right now";

interface Session {
  readonly item: Omit<ItemInput, "prompt">;
  /** What is done with each of two items, without a mouse. */
  readonly acts: readonly ((seat: Seat) => Promise<void>)[];
  readonly values: readonly (readonly unknown[])[];
}

const answers = (...texts: readonly string[]) => texts.map((content) => ({ content }));
const two = answers("The cat sat on the mat.", "A dog barked.");
const three = answers("First of all, rest.", "Drink some water.", "See a doctor.");
const keys =
  (...pressed: readonly string[]) =>
  (seat: Seat) =>
    seat.press(...pressed);
const typed = (text: string) => [...text].map((letter) => (letter === " " ? "Space" : letter));

const sessions: Readonly<Record<string, Session>> = {
  "a pair": {
    item: { answers: two, asks: [{ kind: "pair", strength: true }] },
    acts: [keys("ArrowLeft", "Enter"), keys("ArrowRight", "e", "Enter")],
    values: [[{ kind: "pair", choice: "left" }], [{ kind: "pair", choice: "right", strength: 2 }]],
  },
  "a pair of which neither is better": {
    item: { answers: two, asks: [{ kind: "pair", strength: true }] },
    acts: [keys("w", "Shift+ArrowUp", "Enter"), keys("ArrowUp", "ArrowDown", "Enter")],
    values: [[{ kind: "pair", choice: "both_good" }], [{ kind: "pair", choice: "both_bad" }]],
  },
  "a ranking with a tie": {
    item: { answers: three, asks: [{ kind: "ranking" }] },
    acts: [keys("2", "1", "ArrowUp", "3", "Enter"), keys("3", "2", "1", "ArrowUp", "ArrowUp", "Enter")],
    values: [[{ kind: "ranking", tiers: [[1, 0], [2]] }], [{ kind: "ranking", tiers: [[2], [0], [1]] }]],
  },
  "the best two": {
    item: { answers: three, asks: [{ kind: "ranking", top: 2 }] },
    acts: [keys("3", "1", "Enter"), keys("1", "2", "Backspace", "3", "Enter")],
    values: [[{ kind: "ranking", tiers: [[2], [0]] }], [{ kind: "ranking", tiers: [[0], [2]] }]],
  },
  "the best one": {
    item: { answers: three, asks: [{ kind: "ranking", top: 1 }] },
    acts: [keys("2", "Enter"), keys("1", "3", "Enter")],
    values: [[{ kind: "ranking", tiers: [[1]] }], [{ kind: "ranking", tiers: [[2]] }]],
  },
  "ratings on two axes": {
    item: {
      answers: two,
      asks: [
        { kind: "rating", axis: "helpful", low: 1, high: 7 },
        { kind: "rating", axis: "kind", low: -3, high: 3 },
      ],
    },
    acts: [keys("5", "1", "7", "4", "Enter"), keys("1", "2", "3", "ArrowUp", "9", "6", "5", "Enter")],
    values: [
      [
        { kind: "rating", answer: 0, axis: "helpful", value: 5 },
        { kind: "rating", answer: 0, axis: "kind", value: -3 },
        { kind: "rating", answer: 1, axis: "helpful", value: 7 },
        { kind: "rating", answer: 1, axis: "kind", value: 0 },
      ],
      [
        { kind: "rating", answer: 0, axis: "helpful", value: 1 },
        { kind: "rating", answer: 0, axis: "kind", value: -2 },
        { kind: "rating", answer: 1, axis: "helpful", value: 6 },
        { kind: "rating", answer: 1, axis: "kind", value: 1 },
      ],
    ],
  },
  "ratings on a long scale": {
    item: { answers: two, asks: [{ kind: "rating", axis: "overall", low: 0, high: 100 }] },
    acts: [
      keys("8", "5", "Enter", "4", "0", "Enter", "Enter"),
      keys("1", "0", "0", "Enter", "7", "Enter", "Enter"),
    ],
    values: [
      [
        { kind: "rating", answer: 0, axis: "overall", value: 85 },
        { kind: "rating", answer: 1, axis: "overall", value: 40 },
      ],
      [
        { kind: "rating", answer: 0, axis: "overall", value: 100 },
        { kind: "rating", answer: 1, axis: "overall", value: 7 },
      ],
    ],
  },
  thumbs: {
    item: { answers: two, asks: [{ kind: "thumb" }] },
    acts: [keys("+", "-", "Enter"), keys("-", "ArrowUp", "+", "-", "Enter")],
    values: [
      [
        { kind: "thumb", answer: 0, up: true },
        { kind: "thumb", answer: 1, up: false },
      ],
      [
        { kind: "thumb", answer: 0, up: true },
        { kind: "thumb", answer: 1, up: false },
      ],
    ],
  },
  "a correction": {
    item: { answers: answers("Two and two is five."), asks: [{ kind: "edit", required: true }] },
    acts: [
      keys("x", "Control+a", ...typed("It is four."), "Escape", "d", "Enter"),
      keys("x", "Control+End", ...typed(" No"), "Escape", "Enter"),
    ],
    values: [
      [{ kind: "edit", answer: 0, text: "It is four." }],
      [{ kind: "edit", answer: 0, text: "Two and two is five. No" }],
    ],
  },
  "a comment": {
    item: { answers: two, asks: [{ kind: "comment", required: true }] },
    acts: [
      keys("c", ...typed("Both are short"), "Escape", "Enter"),
      // To the second answer, and what is said is of it.
      async (seat) => {
        await tabTo(seat, "article[data-place='1']");
        await seat.press("c", ...typed("Rude"), "Escape", "Enter");
      },
    ],
    values: [[{ kind: "comment", text: "Both are short" }], [{ kind: "comment", answer: 1, text: "Rude" }]],
  },
  "marked stretches": {
    item: { answers: answers("The 🐈 sat."), asks: [{ kind: "span", tags: ["wrong", "rude"] }] },
    acts: [
      async (seat) => {
        await tabTo(seat, ".markable");
        await seat.press("Control+Home", ...Array(4).fill("ArrowRight"), "Shift+ArrowRight", "2");
        await seat.press("Control+End", ...Array(4).fill("Shift+ArrowLeft"), "1", "Enter");
      },
      async (seat) => {
        await tabTo(seat, ".markable");
        await seat.press("Control+a", "1", "Enter");
      },
    ],
    values: [
      [
        { kind: "span", answer: 0, start: 4, end: 5, tag: "rude" },
        { kind: "span", answer: 0, start: 6, end: 10, tag: "wrong" },
      ],
      [{ kind: "span", answer: 0, start: 0, end: 10, tag: "wrong" }],
    ],
  },
  "several questions at once": {
    item: {
      answers: two,
      asks: [{ kind: "pair" }, { kind: "rating", axis: "true", low: 1, high: 5 }, { kind: "comment" }],
    },
    acts: [
      keys("ArrowLeft", "3", "4", "c", ...typed("ok 5 s"), "Escape", "Enter"),
      keys("2", "5", "ArrowDown", "Enter"),
    ],
    values: [
      [
        { kind: "pair", choice: "left" },
        { kind: "rating", answer: 0, axis: "true", value: 3 },
        { kind: "rating", answer: 1, axis: "true", value: 4 },
        { kind: "comment", text: "ok 5 s" },
      ],
      [
        { kind: "pair", choice: "both_bad" },
        { kind: "rating", answer: 0, axis: "true", value: 2 },
        { kind: "rating", answer: 1, axis: "true", value: 5 },
      ],
    ],
  },
};

async function tabTo({ page }: Seat, selector: string): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(`document.activeElement.matches(${JSON.stringify(selector)})`)) return;
  }
  throw new Error(`Tab does not reach ${selector}`);
}

/** What stands out at the right, tables and code in their own frames aside. */
const WIDE = `[...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll, pre, .spoken"))
  .map((one) => one.tagName + "." + one.className)`;

describe("the annotators' page: sessions", function () {
  this.timeout(120_000);
  const at = suiteFolder();
  let browser: Browser;
  let service: JudgeService;
  let seat: Seat;

  before(async function () {
    if (!hasBrowser) this.skip();
    [browser, service] = await Promise.all([startBrowser(), startService(at("store"))]);
  });
  after(async () => {
    await browser?.close();
    await service?.close();
  });
  afterEach(() => seat?.context.close());

  async function sit(items: readonly ItemInput[], more: { width?: number; touch?: boolean } = {}) {
    const project = await service.project(items);
    seat = await takeSeat({ browser, service, project, ...more });
    return project;
  }

  for (const width of WIDTHS)
    describe(`by keys alone, at ${width} pixels`, () => {
      let own: { readonly seat: Seat; readonly project: string } | undefined;
      after(() => own?.seat.context.close());

      /** The page stays open from session to session; one that failed leaves it to nobody. */
      async function openDesk(items: readonly ItemInput[]) {
        if ((await own?.seat.page.getByText(NOTHING).isVisible()) !== true) {
          await own?.seat.context.close();
          const project = await service.project([]);
          own = { project, seat: await takeSeat({ browser, service, project, width }) };
          await own.seat.see(NOTHING);
        }
        if (own === undefined) throw new Error("there is a desk");
        await service.add(own.project, items);
        await own.seat.page.getByRole("button", { name: "Look now" }).press("Enter");
        return own;
      }

      for (const [name, { item, acts, values }] of Object.entries(sessions))
        it(`takes ${name}`, async () => {
          const desk = await openDesk(acts.map((_, i) => ({ ...item, prompt: `Question ${i + 1}` })));
          for (const [i, act] of acts.entries()) {
            await desk.seat.see(`Question ${i + 1}`);
            if (i === 0) expect(await desk.seat.page.evaluate(WIDE)).to.deep.equal([]);
            await act(desk.seat);
          }
          await desk.seat.see(NOTHING);
          const judged = await service.judged(desk.project);
          expect(judged.slice(-acts.length)).to.deep.equal(values);
          expect(desk.seat.complaints).to.deep.equal([]);
        });
    });

  it("says that keys were used, and for how long somebody was at it", async () => {
    const project = await sit([{ prompt: "Question 1", answers: two }]);
    await seat.page.waitForTimeout(300);
    await seat.press("ArrowLeft", "Enter");
    await seat.see(NOTHING);
    const [judgement] = await service.events(project, "judgement.created");
    expect(judgement?.keysUsed).to.equal(true);
    expect(judgement?.activeMs).to.be.within(300, 60_000);
  });

  for (const width of WIDTHS)
    it(`takes a session by mouse at ${width} pixels`, async () => {
      const project = await sit(
        [
          { prompt: "Question 1", answers: two, asks: [{ kind: "pair", strength: true }] },
          { prompt: "Question 2", answers: three, asks: [{ kind: "ranking" }] },
          {
            prompt: "Question 3",
            answers: answers("The cat sat."),
            asks: [{ kind: "rating", axis: "true", low: 1, high: 5 }, { kind: "thumb" }, { kind: "edit" }],
          },
          {
            prompt: "Question 4",
            answers: answers("The cat sat on the mat."),
            asks: [{ kind: "span", tags: ["wrong", "rude"] }],
          },
        ],
        { width },
      );
      const { page } = seat;
      const click = (name: string | RegExp) => page.getByRole("button", { name, exact: true }).click();
      const choose = (name: string | RegExp) => page.getByRole("radio", { name }).click();
      await seat.see("Question 1");
      await choose("Answer two is better");
      await choose("Far better");
      await click("Submit and next");
      await seat.see("Question 2");
      for (const name of ["Answer three", "Answer one", "Answer two"]) await click(new RegExp(`^${name}$`));
      await click("Move up: answer one");
      await click("Submit and next");
      await seat.see("Question 3");
      await choose("4");
      await choose("Not good");
      await click("Correct it");
      await page.getByLabel("The answer, corrected").fill("The cat slept.");
      await click("Submit and next");
      await seat.see("Question 4");
      await page.locator(".markable").dblclick({ position: { x: 60, y: 20 } });
      await click("rude");
      await click("Submit and next");
      await seat.see(NOTHING);
      const [pair, ranking, several, span] = await service.judged(project);
      expect(pair).to.deep.equal([{ kind: "pair", choice: "right", strength: 3 }]);
      expect(ranking).to.deep.equal([{ kind: "ranking", tiers: [[2, 0], [1]] }]);
      expect(several).to.deep.equal([
        { kind: "rating", answer: 0, axis: "true", value: 4 },
        { kind: "thumb", answer: 0, up: false },
        { kind: "edit", answer: 0, text: "The cat slept." },
      ]);
      expect(span).to.have.length(1);
      expect(span?.[0]).to.include({ kind: "span", tag: "rude", start: 4, end: 7 });
      const used = (await service.events(project, "judgement.created")).map(({ keysUsed }) => keysUsed);
      expect(used).to.deep.equal([false, false, false, false]);
    });

  const card = (answer: number) => seat.page.locator(`[data-card="${answer}"]`);

  it("takes a ranking by dragging cards with a mouse", async () => {
    const project = await sit([{ prompt: "Question 1", answers: three, asks: [{ kind: "ranking" }] }]);
    await seat.see("Question 1");
    const drag = async (answer: number, to: string, share: number) => {
      const { page } = seat;
      const box = await page.locator(to).boundingBox();
      await card(answer).hover();
      await page.mouse.down();
      await page.mouse.move((box?.x ?? 0) + 60, (box?.y ?? 0) + (box?.height ?? 0) * share, { steps: 4 });
      await page.mouse.up();
    };
    await drag(1, ".tiers", 0.5);
    // Above the first place, then into it, then a place taken away and given again below.
    await drag(2, ".tier >> nth=0", 0.1);
    await drag(0, ".tier >> nth=0", 0.5);
    await drag(1, ".tray", 0.5);
    await drag(1, ".tier >> nth=0", 0.95);
    await seat.press("Enter");
    await seat.see(NOTHING);
    expect(await service.judged(project)).to.deep.equal([[{ kind: "ranking", tiers: [[2, 0], [1]] }]]);
  });

  it("takes a ranking by dragging cards with a finger, by their handles", async () => {
    const project = await sit([{ prompt: "Question 1", answers: two, asks: [{ kind: "ranking" }] }], {
      width: 390,
      touch: true,
    });
    await seat.see("Question 1");
    const cdp = await seat.context.newCDPSession(seat.page);
    const touch = (type: string, points: readonly { x: number; y: number }[]) =>
      cdp.send("Input.dispatchTouchEvent", { type: type as "touchStart", touchPoints: [...points] });
    const drag = async (answer: number, to: string, share: number) => {
      const handle = card(answer).locator(".handle");
      await handle.scrollIntoViewIfNeeded();
      const from = await handle.boundingBox();
      const box = await seat.page.locator(to).boundingBox();
      const start = { x: (from?.x ?? 0) + 8, y: (from?.y ?? 0) + 15 };
      const end = { x: start.x + 40, y: (box?.y ?? 0) + (box?.height ?? 0) * share };
      await touch("touchStart", [start]);
      for (const part of [0.3, 0.6, 1])
        await touch("touchMove", [{ x: start.x + 40 * part, y: start.y + (end.y - start.y) * part }]);
      await touch("touchEnd", []);
    };
    await drag(1, ".tiers", 0.5);
    await drag(0, ".tier >> nth=0", 0.05);
    expect(await seat.page.locator(".tier").count()).to.equal(2);
    await seat.page.getByRole("button", { name: "Submit and next" }).click();
    await seat.see(NOTHING);
    expect(await service.judged(project)).to.deep.equal([[{ kind: "ranking", tiers: [[0], [1]] }]]);
  });
});
