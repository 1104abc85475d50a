// The page of a report in a real browser: nothing is fetched or thrown, nothing is cut off, and its controls work.

import { expect } from "chai";
import type { Browser, Page } from "playwright-core";
import { writeReport } from "../../lib/report/index.js";
import { dpoLines, reliabilityBins, writeRunFolder } from "../report/run-folders.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { hasBrowser, openPage, startBrowser } from "./browser.js";

const evil = `</script><script>alert(1)</script><img src=x onerror=alert(2)>`;

describe("a report in a browser", function () {
  this.timeout(60_000);
  const at = suiteFolder();
  let browser: Browser;
  let page: Page;
  let complaints: readonly string[];

  before(async function () {
    if (!hasBrowser) this.skip();
    const sample = (step: number, completion: string) => ({
      step,
      prompt: evil,
      completion,
      finished: "stop",
    });
    writeRunFolder({
      folder: at("runs", `first${"-of-a-long-name".repeat(4)}`),
      lines: dpoLines({ steps: 120, evalEvery: 30 }),
      samples: [sample(0, evil), sample(120, "word".repeat(300))],
      evaluations: { "eval.json": { calibration: { bins: reliabilityBins(), ece: 0.07, brier: 0.2 } } },
    });
    writeRunFolder({
      folder: at("runs", "second"),
      lines: dpoLines({ steps: 100, shift: 0.1 }),
      settings: { beta: 0.5, data: `/a/path/${"without-a-place-to-break".repeat(6)}` },
      record: { started: "2026-03-01T12:00:00Z" },
    });
    await writeReport({ runs: [at("runs")], output: at("report.html") });
    browser = await startBrowser();
  });
  after(() => browser?.close());
  afterEach(() => page?.close());

  async function open(width: number, colours?: "light" | "dark") {
    ({ page, complaints } = await openPage({
      browser,
      file: at("report.html"),
      width,
      ...(colours === undefined ? {} : { colours }),
    }));
  }

  for (const width of [1280, 390]) {
    it(`complains about nothing and asks for nothing at ${width} pixels`, async () => {
      await open(width);
      expect(complaints).to.deep.equal([]);
    });

    it(`is not wider than the screen at ${width} pixels`, async () => {
      await open(width);
      const wide = await page.evaluate(`[...document.querySelectorAll("body *")]
        .filter((one) => !one.closest(".scroll table, svg") && one.getBoundingClientRect().right > innerWidth + 1)
        .map((one) => one.tagName + "." + one.className)`);
      expect(wide).to.deep.equal([]);
      expect(await page.evaluate("document.documentElement.scrollWidth")).to.equal(width);
    });
  }

  it("follows the window when it becomes narrow, its charts too", async () => {
    await open(1280);
    await page.setViewportSize({ width: 390, height: 900 });
    await page.waitForTimeout(300);
    expect(await page.evaluate("document.documentElement.scrollWidth")).to.equal(390);
    const wide =
      "[...document.querySelectorAll('.chart canvas')].filter((one) => one.clientWidth > 390).length";
    expect(await page.evaluate(wide)).to.equal(0);
  });

  it("draws a chart in every panel, with something in it", async () => {
    await open(1280);
    const [panels, drawn] = (await page.evaluate(`[
      document.querySelectorAll(".panel .chart").length,
      [...document.querySelectorAll(".panel .chart canvas")].filter((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return data.some((byte) => byte !== 0);
      }).length,
    ]`)) as [number, number];
    expect(panels).to.be.above(9);
    expect(drawn).to.equal(panels);
  });

  /** The words under a chart, cell by cell. */
  const readout = async (panel: number) =>
    (await page.locator(`#panel-${panel} .readout :is(th, td)`).allTextContents()).join(" | ");
  /** Brings the cursor to a share of a chart's width. */
  async function hover(panel: number, share: number) {
    const over = page.locator(`#panel-${panel} .u-over`);
    const box = await over.boundingBox();
    await over.hover({ position: { x: (box?.width ?? 0) * share, y: 40 } });
  }

  it("shows the values under the pointer, in all panels at once", async () => {
    await open(1280);
    const last = [await readout(0), await readout(1)];
    await hover(0, 0.5);
    expect(last[0]).to.include("last values");
    const now = [await readout(0), await readout(1)];
    for (const [i, text] of now.entries()) {
      expect(text)
        .to.match(/step (59|60|61)\b/)
        .and.not.equal(last[i]);
    }
  });

  it("shows no value of training of a run that had ended there", async () => {
    await open(1280);
    await hover(0, 0.98);
    const value = (run: number) => page.locator(`#panel-0 [data-run='${run}'] [data-value='train']`);
    expect(await value(0).textContent()).to.not.equal("");
    expect(await value(1).textContent()).to.equal("");
  });

  it("keeps every number of a readout in one line, at the side of a long name", async () => {
    for (const width of [1280, 390]) {
      await open(width);
      const broken = `[...document.querySelectorAll(".readout td, .readout thead th")].filter((cell) => {
        if (cell.lastChild === null) return false;
        const range = document.createRange();
        range.selectNodeContents(cell.lastChild);
        return range.getClientRects().length > 1;
      }).map((cell) => cell.textContent)`;
      expect(await page.evaluate(broken)).to.deep.equal([]);
      if (width === 1280) await page.close();
    }
  });

  it("reads aloud only the panel that has the focus", async () => {
    await open(1280);
    const live = "[...document.querySelectorAll('.readout[aria-live=polite]')].length";
    expect(await page.evaluate(live)).to.equal(0);
    await page.locator("#panel-1 .chart").focus();
    expect(await page.evaluate(live)).to.equal(1);
  });

  it("shows the very values of a line without smoothing", async () => {
    await open(1280);
    await setSmoothing(0);
    await hover(0, 0.5);
    const text = await readout(0);
    const step = Number(/step (\d+)/.exec(text)?.[1]);
    const loss = dpoLines({ steps: 120 })[step - 1]?.loss as number;
    expect(text).to.include(` ${Number(loss.toPrecision(4))} `);
  });

  it("is read with the arrow keys", async () => {
    await open(1280);
    await page.locator("#panel-0 .chart").focus();
    await page.keyboard.press("Home");
    expect(await readout(0)).to.include("step 0");
    await page.keyboard.press("ArrowRight");
    expect(await readout(0)).to.include("step 1");
    await page.keyboard.press("End");
    expect(await readout(0)).to.include("step 120");
    await page.keyboard.press("Escape");
    expect(await readout(0)).to.include("last values");
  });

  const setSmoothing = (value: number) =>
    page
      .locator("input[name=smoothing]")
      .evaluate((input: { value: string; dispatchEvent(event: Event): void }, to) => {
        input.value = String(to);
        input.dispatchEvent(new Event("input", { bubbles: true }));
      }, value);
  const picture = () => page.evaluate("document.querySelector('#panel-0 canvas').toDataURL()");

  it("smooths at first, and not when it is switched off", async () => {
    await open(1280);
    expect(await page.locator("#controls output").textContent()).to.equal("0.80");
    const before = [await picture(), await readout(0)];
    await setSmoothing(0);
    expect(await page.locator("#controls output").textContent()).to.equal("off");
    expect(await picture()).to.not.equal(before[0]);
    expect(await readout(0)).to.not.equal(before[1]);
  });

  it("draws by tokens when it is asked to", async () => {
    await open(1280);
    await page.getByLabel("tokens", { exact: true }).check();
    await hover(0, 0.5);
    expect(await readout(0)).to.match(/tokens 1[78]\d,000/);
  });

  it("draws on a logarithmic scale, and says where it cannot", async () => {
    await open(1280);
    const before = await picture();
    await page.getByLabel("logarithmic").check();
    expect(await picture()).to.not.equal(before);
    const below = page.locator("article", { hasText: "logps/chosen" }).locator(".chart");
    expect(await below.locator("canvas").count()).to.equal(0);
    expect(await below.getAttribute("data-why")).to.include("No value above 0");
    await page.getByLabel("logarithmic").uncheck();
    expect(await below.locator("canvas").count()).to.equal(1);
    expect(complaints).to.deep.equal([]);
  });

  it("hides a run", async () => {
    await open(1280);
    await page.locator("input[name=run]").nth(1).uncheck();
    const second = page.locator("#panel-0 [data-run='1'] [data-value='train']");
    expect(await second.textContent()).to.equal("");
    await page.locator("input[name=run]").nth(1).check();
    expect(await second.textContent()).to.not.equal("");
  });

  it("shows only the settings that differ", async () => {
    await open(1280);
    const same = page.locator("#settings tr.same").first();
    expect(await same.isVisible()).to.equal(true);
    await page.getByLabel("only settings that differ").check();
    expect(await same.isVisible()).to.equal(false);
    expect(await page.locator("#settings tr.differs").first().isVisible()).to.equal(true);
  });

  it("has other colours in the dark, in its charts too", async () => {
    await open(1280);
    const light = [await picture(), await page.evaluate("getComputedStyle(document.body).backgroundColor")];
    await page.emulateMedia({ colorScheme: "dark" });
    await page.waitForTimeout(200);
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).to.not.equal(light[1]);
    expect(await picture()).to.not.equal(light[0]);
  });

  it("prints without its controls", async () => {
    await open(1280, "dark");
    await page.emulateMedia({ media: "print" });
    expect(await page.locator("#controls").isVisible()).to.equal(false);
    const over = `[...document.querySelectorAll(".panel")].filter(
      (one) => one.querySelector("canvas").getBoundingClientRect().right > one.getBoundingClientRect().right).length`;
    expect(await page.evaluate(over.replace(".panel", ".panel:has(canvas)"))).to.equal(0);
    expect((await page.pdf()).length).to.be.above(20_000);
  });

  it("reaches everything by keyboard in the order of the page", async () => {
    await open(1280);
    const seen: string[] = [];
    for (let i = 0; i < 200; i++) {
      await page.keyboard.press("Tab");
      const name = await page.evaluate(
        "document.activeElement.id || document.activeElement.className || document.activeElement.name || document.activeElement.tagName",
      );
      if (name === "BODY") break;
      seen.push(String(name));
    }
    for (const one of ["smoothing", "logarithmic", "chart", "scroll", "text", "only-different"])
      expect(seen).to.include(one);
  });
});
