// Pairs of images and of clips at the annotators' page in a real browser, by keyboard alone: they come together in equal boxes,
// play together, and no byte names them before they are judged.

import { expect } from "chai";
import type { Browser, Page } from "playwright-core";
import { clipItem, dotClip, imageItem } from "../feedback/pictures.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { hasBrowser, startBrowser } from "./browser.js";
import { type JudgeService, startService, takeSeat } from "./judge-service.js";

const NOTHING = "Nothing to judge right now";
const still = (page: Page) => page.emulateMedia({ reducedMotion: "reduce" });

/** Texts of everything that the service sent to the page as JSON. */
function listen(page: Page): Promise<string>[] {
  const bodies: Promise<string>[] = [];
  page.on("response", (response) => {
    const json = /json/.test(response.headers()["content-type"] ?? "");
    if (json) bodies.push(response.text().catch(() => ""));
  });
  return bodies;
}

async function sizesOf(page: Page): Promise<readonly (readonly number[])[]> {
  const boxes = await page.locator(".picture").all();
  return Promise.all(
    boxes.map(async (box) => {
      const { width, height } = (await box.boundingBox()) ?? { width: 0, height: 0 };
      return [Math.round(width), Math.round(height)];
    }),
  );
}

/** How far right the dot of each clip is, in pixels of its frame: the middle of what is red. */
function dotsOf(page: Page): Promise<readonly number[]> {
  return page.evaluate(READ_DOTS);
}

/** The browser complains where a canvas that is drawn on is read often: a copy is read. */
const READ_DOTS = `[...document.querySelectorAll("canvas")].map((canvas) => {
  const { width, height } = canvas;
  const copy = Object.assign(document.createElement("canvas"), { width, height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const all = Array.from({ length: width * height }, (_, i) => i);
  const red = all.filter((i) => data[4 * i] > 150 && data[4 * i + 2] < 100);
  return Math.round(red.reduce((sum, i) => sum + (i % width), 0) / red.length);
})`;

function altsOf(page: Page): Promise<readonly string[]> {
  return page.evaluate('[...document.querySelectorAll(".picture img")].map((image) => image.alt)');
}

describe("pictures at the annotators' page", function () {
  this.timeout(60_000);
  const at = suiteFolder();
  let browser: Browser;
  let service: JudgeService;
  before(async function () {
    if (!hasBrowser) this.skip();
    browser = await startBrowser();
    service = await startService(at("store"));
  });
  after(async () => {
    await browser?.close();
    await service?.close();
  });

  for (const width of [1280, 390])
    it(`show two clips that play together and are judged by keys, ${width} pixels wide`, async () => {
      const project = await service.project([clipItem(0), clipItem(1)]);
      let bodies: Promise<string>[] = [];
      const prepare = async (page: Page) => {
        await still(page);
        bodies = listen(page);
      };
      const token = await service.tokenOf(project);
      const seat = await takeSeat({ browser, service, project, width, token, prepare });
      const { page } = seat;
      // Who wants less motion starts it.
      await seat.see("Frame 1 of 6");
      expect(await dotsOf(page)).to.deep.equal([4, 4]);
      const [first, second] = await sizesOf(page);
      expect(first).to.deep.equal(second);
      await seat.press(".", ".", "Shift+.", ",");
      await seat.see("Frame 3 of 6");
      expect([...(await dotsOf(page))].sort((a, b) => a - b)).to.deep.equal([8, 20]);
      await seat.press("Space");
      await seat.see("Frame 6 of 6");
      expect([...(await dotsOf(page))].sort((a, b) => a - b)).to.deep.equal([14, 44]);
      await page.getByRole("button", { name: "Play" }).waitFor();
      const labels = await page.locator("canvas").evaluateAll((all) => all.map((one) => one.ariaLabel));
      expect(labels).to.deep.equal([
        "Answer one: a clip of 6 frames, 0.5 seconds",
        "Answer two: a clip of 6 frames, 0.5 seconds",
      ]);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(overflow).to.be.at.most(0);
      for (const text of await Promise.all(bodies)) expect(text).to.not.match(/secret|sha256|item-\d/);
      const left = ((await dotsOf(page))[0] ?? 0) > 20 ? "left" : "right";
      await seat.press(left === "left" ? "ArrowLeft" : "ArrowRight", "Enter");
      await seat.see("Frame 1 of 6");
      await seat.press("n", "Enter");
      await seat.see(NOTHING);
      expect(await service.judged(project)).to.deep.equal([
        [{ kind: "pair", choice: left }],
        [{ kind: "pair", choice: "cannot_compare" }],
      ]);
      expect(seat.complaints).to.be.empty;
      await seat.context.close();
    });

  it("play by themselves where nobody wants less motion, and end together", async () => {
    const answers = [dotClip({ speed: 0.2, frames: 4 }), dotClip({ speed: 0.2, frames: 8 })];
    const item = { ...clipItem(), answers: answers.map((content) => ({ content })) };
    const project = await service.project([item]);
    const seat = await takeSeat({ browser, service, project });
    await seat.see("Frame 8 of 8");
    expect([...(await dotsOf(seat.page))].sort((a, b) => a - b)).to.deep.equal([28, 44]);
    expect(seat.complaints).to.be.empty;
    await seat.context.close();
  });

  it("show two images with what they are called, judged by keys, and again when one looks back", async () => {
    const project = await service.project([imageItem()]);
    const seat = await takeSeat({ browser, service, project });
    const { page } = seat;
    const images = page.locator(".picture img");
    await images.nth(1).waitFor();
    const alts = await altsOf(page);
    expect([...alts].sort()).to.deep.equal(["A plain blue area.", "A plain orange area."]);
    const [first, second] = await sizesOf(page);
    expect(first).to.deep.equal(second);
    expect(await page.getByText("Cannot compare").count()).to.equal(0);
    await seat.press("n", "Enter");
    await seat.see("Still to do: say which answer is better.");
    const better = alts[0]?.includes("orange") ? "ArrowLeft" : "ArrowRight";
    await seat.press(better, "Enter");
    await seat.see(NOTHING);
    const [[value] = []] = await service.judged(project);
    expect(value).to.include({ kind: "pair", choice: better === "ArrowLeft" ? "left" : "right" });
    await seat.press("u");
    await page.keyboard.press("Tab");
    await page
      .getByRole("button", { name: /look at it|revise/i })
      .first()
      .press("Enter");
    await images.nth(1).waitFor();
    expect(await altsOf(page)).to.deep.equal(alts);
    expect(seat.complaints).to.be.empty;
    await seat.context.close();
  });

  it("cannot be sent off before they are there, and are loaded again where the service was away", async () => {
    const project = await service.project([imageItem()]);
    let away = true;
    const prepare = async (page: Page) => {
      await page.route("**/frames?*", (route) => (away ? route.abort() : route.continue()));
    };
    const seat = await takeSeat({ browser, service, project, prepare });
    await seat.see("This cannot be shown. The service cannot be reached.");
    await seat.press("ArrowLeft", "Enter");
    await seat.see("load the answers again");
    expect(await service.judged(project)).to.be.empty;
    away = false;
    await seat.page.getByRole("button", { name: "Load again" }).first().press("Enter");
    await seat.page.locator(".picture img").nth(1).waitFor();
    await seat.page.locator("h1").focus();
    await seat.press("Enter");
    await seat.see(NOTHING);
    expect(await service.judged(project)).to.have.length(1);
    await seat.context.close();
  });
});
