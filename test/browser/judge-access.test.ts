// The annotators' page for everybody: what screen readers hear, where the focus is seen, contrast by day and by night, small and
// magnified screens, and keys that keep out of the way of typing.

import { expect } from "chai";
import type { Browser } from "playwright-core";
import type { ItemInput } from "../../lib/feedback/index.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { hasBrowser, startBrowser } from "./browser.js";
import { type JudgeService, type Seat, type SeatOptions, startService, takeSeat } from "./judge-service.js";

const answers = [{ content: "The **cat** sat.\n\n- one\n- `two`\u200b" }, { content: "> The dog ran." }];
const everything: ItemInput = {
  prompt: [
    { role: "system", content: "Be kind." },
    { role: "user", content: "Question 1" },
  ],
  answers,
  asks: [
    { kind: "pair", strength: true },
    { kind: "ranking" },
    { kind: "rating", axis: "true", low: -2, high: 2 },
    { kind: "rating", axis: "overall", low: 0, high: 100 },
    { kind: "thumb" },
    { kind: "edit" },
    { kind: "comment" },
  ],
};
const pairs = { prompt: "Question 1", answers };

/** Text with too little contrast to what is behind it, by WCAG 2: 4.5, or 3 where it is large. */
const FAINT = `(() => {
  const channel = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
  const rgba = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const light = ({ r, g, b }) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour.a === 1) return colour;
    }
    return rgba("rgb(255, 255, 255)");
  };
  const faint = [];
  let looked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() === "" || !one.checkVisibility({ visibilityProperty: true })) continue;
    if (one.closest(".spoken, :disabled")) continue;
    looked += 1;
    const style = getComputedStyle(one);
    const [a, b] = [light(rgba(style.color)), light(behind(one))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) faint.push(one.className + " " + walker.currentNode.data + " " + ratio.toFixed(2));
  }
  return { faint, looked };
})()`;

/** What stands out at the right, tables and code in their own frames aside. */
const WIDE = `[...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".scroll, pre, .spoken"))
  .map((one) => one.tagName + "." + one.className)`;

describe("the annotators' page: for everybody", function () {
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

  async function sit(item: ItemInput, more: Partial<SeatOptions> = {}) {
    const project = await service.project([item]);
    seat = await takeSeat({ browser, service, project, ...more });
    await seat.see("Question 1");
    return project;
  }

  for (const colours of ["light", "dark"] as const)
    it(`has contrast enough, ${colours}`, async () => {
      await sit(everything, { colours });
      const { page } = seat;
      const look = async () => {
        const { faint, looked } = (await page.evaluate(FAINT)) as { faint: string[]; looked: number };
        expect(faint).to.deep.equal([]);
        return looked;
      };
      const before = await look();
      expect(before).to.be.above(60);
      await seat.press("ArrowLeft", "e", "1", "+", "x", "End", "!", "Escape", "d");
      await seat.press("1", "2", "Enter");
      expect(await look()).to.be.above(before);
      for (const key of ["?", "s"]) {
        await seat.press(key);
        await page.locator("dialog").waitFor();
        await look();
        await seat.press("Escape");
      }
    });

  it("names its landmarks, answers and questions to screen readers", async () => {
    await sit({ ...everything, asks: [{ kind: "pair" }, { kind: "rating", axis: "true", low: 1, high: 3 }] });
    const tree = await seat.page.locator("body").ariaSnapshot();
    for (const part of [
      "- banner:",
      "- main:",
      'region "Prompt"',
      'heading "Prompt" [level=1]',
      'region "Your judgement"',
      'article "Answer one"',
      'article "Answer two"',
      'radiogroup "Which answer is better?"',
      'radio "Answer one is better"',
      'radio "Tie, both the same"',
      'radiogroup "Answer two on true, 1 to 3"',
      'button "Submit and next"',
    ])
      expect(tree).to.include(part);
    await seat.press("ArrowRight");
    expect(await seat.page.locator("[role=radio][aria-checked=true]").allInnerTexts()).to.have.length(1);
    expect(await seat.page.locator("[aria-live=polite].spoken").textContent()).to.equal(
      "Answer two is better",
    );
    expect(await seat.page.locator("body").ariaSnapshot()).to.include(
      'radio "Answer two is better" [checked]',
    );
  });

  it("tells what was placed where, and what is missing", async () => {
    await sit({ ...pairs, asks: [{ kind: "ranking" }] });
    const said = () => seat.page.locator("[aria-live=polite].spoken").textContent();
    expect(await said()).to.equal("A new item with 2 answers.");
    await seat.press("2");
    expect(await said()).to.equal("Answer two: place 1");
    await seat.press("Enter");
    expect(await said()).to.equal("Still to do: place 1 more.");
    await seat.press("1", "ArrowUp");
    expect(await said()).to.equal("Answer one: place 1, tied with answer two");
  });

  it("shows the focus on everything that Tab reaches", async () => {
    await sit({ ...everything, asks: [{ kind: "pair" }, { kind: "edit" }, { kind: "ranking" }] });
    const seen: string[] = [];
    for (let i = 0; i < 60; i++) {
      await seat.press("Tab");
      const [name, outline] = (await seat.page.evaluate(`(() => {
        const one = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(one);
        return [one.localName === "body" ? "" : one.getAttribute("aria-label") ?? one.innerText, outlineStyle + outlineWidth];
      })()`)) as [string, string];
      if (name === "") break;
      seen.push(name.split("\n")[0] ?? "");
      expect(outline, name).to.equal("solid3px");
    }
    for (const one of ["Answer one", "Answer two", "Correct answer one", "Answer one is better", "Skip"])
      expect(seen.join("\n")).to.include(one);
  });

  it("moves inside a scale that Tab has reached, and not to another question", async () => {
    await sit({ ...pairs, asks: [{ kind: "pair" }, { kind: "rating", axis: "true", low: 1, high: 5 }] });
    await seat.page.locator(".ratings [role=radio]").first().focus();
    await seat.press("Tab", "ArrowRight", "ArrowRight");
    expect(await seat.page.locator("[aria-checked=true]").allInnerTexts()).to.deep.equal(["2"]);
  });

  it("leaves the keys to whoever is typing, to modifiers and to keys held down", async () => {
    const project = await sit({ ...pairs, asks: [{ kind: "pair", strength: true }, { kind: "comment" }] });
    const { page } = seat;
    const checked = () => page.locator("[aria-checked=true]").allInnerTexts();
    await seat.press("c");
    await page.keyboard.type("sug?cxdqwer+-123");
    await seat.press("ArrowLeft", "ArrowUp", "Shift+ArrowUp", "Enter");
    expect(await page.locator("dialog").count()).to.equal(0);
    expect(await checked()).to.deep.equal([]);
    const field = page.getByLabel("Comment on all answers");
    expect(await field.inputValue())
      .to.include("sug?cxdqwer")
      .and.to.include("\n");
    await seat.press("Escape");
    expect(await page.evaluate("document.activeElement.localName")).to.equal("body");
    await seat.press("Control+ArrowLeft", "Control+s", "Meta+ArrowRight", "Shift+ArrowLeft");
    expect(await checked()).to.deep.equal([]);
    expect(await page.locator("dialog").count()).to.equal(0);
    await page.keyboard.down("ArrowRight");
    await page.getByRole("radio", { name: "Answer one is better" }).click();
    await page.keyboard.down("ArrowRight");
    await page.keyboard.up("ArrowRight");
    expect((await checked()).join()).to.include("Answer one is better");
    expect(await service.judged(project)).to.deep.equal([]);
  });

  it("shows all keys with ?, those of the item first", async () => {
    await sit(pairs);
    await seat.press("?");
    const help = seat.page.getByRole("dialog", { name: "Keys" });
    const rows = await help.getByRole("row").allInnerTexts();
    expect(rows[0]).to.match(/← →\s+answer one or answer two is better/);
    expect(rows.join("\n")).to.match(/Enter\s+submit, next item/);
    await seat.press("Escape");
    expect(await help.count()).to.equal(0);
  });

  it("puts two answers side by side in equal boxes, and one below the other on a narrow screen", async () => {
    await sit(pairs);
    const boxes = () =>
      Promise.all(
        [0, 1].map(async (place) => {
          const box = await seat.page.locator(`[data-place="${place}"]`).boundingBox();
          return box ?? { x: 0, y: 0, width: 0, height: 0 };
        }),
      );
    const [one, two] = await boxes();
    expect([one?.width, one?.height, one?.y]).to.deep.equal([two?.width, two?.height, two?.y]);
    await seat.page.setViewportSize({ width: 390, height: 844 });
    const [above, below] = await boxes();
    expect([above?.x, above?.width]).to.deep.equal([below?.x, below?.width]);
    expect(below?.y).to.be.above((above?.y ?? 0) + (above?.height ?? 0));
  });

  for (const [width, height, name] of [
    [390, 844, "on a telephone"],
    [320, 225, "magnified four times"],
  ] as const)
    it(`is not wider than the screen ${name}, and nothing covers what is to be read`, async () => {
      await sit(everything, { width, height });
      const { page } = seat;
      await seat.press("ArrowLeft", "e", "1", "x", "End", "!", "Escape", "d", "c");
      await seat.press("Escape", "1", "2", "1", "2", "Enter");
      expect(await page.evaluate(WIDE)).to.deep.equal([]);
      expect(await page.evaluate("document.documentElement.scrollWidth")).to.equal(width);
      expect(await page.evaluate("getComputedStyle(document.querySelector('.foot')).position")).to.equal(
        "static",
      );
      await seat.press("?");
      expect(await page.evaluate(WIDE)).to.deep.equal([]);
    });
});
