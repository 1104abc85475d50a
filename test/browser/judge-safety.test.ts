// The annotators' page and what must not get through: what a model is called before somebody has judged it, and what a hostile
// answer may try.

import { expect } from "chai";
import type { Browser, Page } from "playwright-core";
import type { ItemInput } from "../../lib/feedback/index.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { hasBrowser, startBrowser } from "./browser.js";
import { type JudgeService, type Seat, startService, takeSeat } from "./judge-service.js";

const secrets = {
  externalId: "external-4711",
  model: "secret-model-7b",
  checkpoint: "c0ffee0123456789",
  policy: "policy-of-tuesday",
  source: "source-of-answers",
  temperature: 0.8642,
  topP: 0.9753,
  seed: 7_654_321,
  logProb: -12.345678,
  token: 31_337,
};

function secretItem(): ItemInput {
  const { externalId, token, ...answer } = secrets;
  return {
    externalId,
    prompt: "Which is larger?",
    answers: [
      { ...answer, content: "The sun.", tokens: [token, 2] },
      { ...answer, model: `${answer.model}-two`, content: "The moon." },
    ],
    split: "valid",
    metadata: { note: "metadata-of-the-item" },
  };
}

const HOSTILE = [
  "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'><iframe src='https://evil.example/'></iframe>",
  "![a picture](https://evil.example/pixel.png) [click me](javascript:window.hacked=3) [data](data:text/html,x)",
  "<a href='https://evil.example/'>raw</a> [real](https://evil.example/path) <https://evil.example/auto>",
  "<style>body{display:none}</style><form action='https://evil.example'><input name=q></form>",
  "Price: \u202e001\u202c and pay\u200bpal and \u{e0041}",
].join("\n\n");

/** What may stand in a text: nothing that fetches, runs or leads away. */
const ALLOWED =
  "div p h3 h4 h5 h6 ul ol li pre code blockquote table thead tbody tr th td hr br strong em s span button";

describe("the annotators' page: blind and safe", function () {
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

  it("receives nothing that tells of models, sampling, scores, gold or ids before a judgement is sent", async () => {
    const received: Promise<string>[] = [];
    const project = await service.project([secretItem()], { settings: { gold: 1 } });
    const [added] = await service.events(project, "item.added");
    const right = [{ kind: "pair", choice: "left" }] as const;
    await service.store.write(project, "setGold", { item: String(added?.item), right });
    const prepare = async (page: Page) => {
      page.on("response", (response) => received.push(everythingOf(response)));
    };
    seat = await takeSeat({ browser, service, project, prepare });
    await seat.see("The sun.");
    await seat.press("g", "Escape", "?", "Escape", "ArrowLeft");
    await seat.page.waitForTimeout(800);
    const texts = await Promise.all(received);
    const all = texts.join("\n");
    expect(all).to.include("The sun.");
    for (const secret of [...Object.values(secrets), "metadata-of-the-item", added?.item, added?.promptHash])
      expect(all).to.not.include(String(secret));
    // Of what the service says of an item there are these fields and no others.
    const [lease = "{}"] = texts.filter((text) => text.startsWith(`${service.url}/v1/next`));
    const { purpose, gold, ...fields } = JSON.parse(lease.slice(lease.lastIndexOf("\n") + 1)) as Record<
      string,
      unknown
    >;
    expect([purpose, gold]).to.deep.equal([undefined, undefined]);
    expect(Object.keys(fields).sort()).to.deep.equal(
      ["answers", "asks", "guidelines", "lease", "prompt", "unsafe", "until"].sort(),
    );
    expect(fields.answers).to.have.members(["The sun.", "The moon."]);
    const leased = await service.events(project, "assignment.leased");
    expect(leased.map(({ purpose: of }) => of)).to.deep.equal(["gold"]);
  });

  it("shows hostile texts as texts: nothing runs, nothing is fetched, no other node is made", async () => {
    const hostile = { content: HOSTILE };
    const prompt = [{ role: "<b>user</b>", content: HOSTILE }];
    const asks: ItemInput["asks"] = [{ kind: "pair" }, { kind: "edit" }];
    const project = await service.project([{ prompt, answers: [hostile, hostile], asks }]);
    await service.store.write(project, "setGuidelines", { text: HOSTILE });
    seat = await takeSeat({ browser, service, project });
    await seat.see("I have read them");
    const odd = `[...document.querySelectorAll(".text, .text *, .conversation *")].map((one) => one.localName)
      .filter((name) => !${JSON.stringify(ALLOWED.split(" "))}.includes(name))`;
    expect(await seat.page.evaluate(odd)).to.deep.equal([]);
    await seat.press("Escape", "x", "End", "!", "Escape", "d");
    await seat.see("What differs");
    expect(await seat.page.evaluate(odd)).to.deep.equal([]);
    await seat.page.waitForTimeout(300);
    expect(await seat.page.evaluate("window.hacked")).to.equal(undefined);
    expect(
      await seat.page.locator("img, iframe, form, [href^='javascript'], [style*=display]").count(),
    ).to.equal(0);
    expect(await seat.page.locator(".answer").first().textContent()).to.include(
      "<script>window.hacked = 1</script>",
    );
    expect(seat.complaints).to.deep.equal([]);
  });

  it("follows a link only when somebody has read where it leads", async () => {
    const answers = [{ content: "[nice](https://evil.example/a?b=c)" }, { content: "no link" }];
    const project = await service.project([{ prompt: "Question 1", answers }]);
    seat = await takeSeat({ browser, service, project });
    const { page, context } = seat;
    await page.getByRole("button", { name: "nice" }).click();
    await seat.see("https://evil.example/a?b=c");
    await seat.press("Enter");
    expect(await page.locator("dialog").count()).to.equal(0);
    expect(context.pages()).to.have.length(1);
    await page.getByRole("button", { name: "nice" }).click();
    await context.route("https://evil.example/**", (route) => route.fulfill({ body: "there" }));
    const opened = context.waitForEvent("page");
    await page.getByRole("button", { name: "Open in a new window" }).click();
    const other = await opened;
    await other.waitForLoadState();
    expect(other.url()).to.equal("https://evil.example/a?b=c");
    expect(await other.evaluate("[window.opener, document.referrer]")).to.deep.equal([null, ""]);
    expect(await page.evaluate("location.host")).to.equal(new URL(service.url).host);
  });

  it("shows characters that are not seen, and lets none turn the others around", async () => {
    const answers = [{ content: "a\u202ecod.exe\u200b\u{e0041}b" }, { content: "👩‍👩‍👧 می‌خواهم ❤️" }];
    const project = await service.project([{ prompt: "Question 1", answers, asks: [{ kind: "pair" }] }]);
    seat = await takeSeat({ browser, service, project });
    await seat.see("Question 1");
    const named = await seat.page.locator(".hidden-character").allInnerTexts();
    expect(named).to.deep.equal(["U+202E right-to-left override", "U+200B zero width space", "U+E0041"]);
    const shown = (await seat.page.locator(".answer-text").allTextContents()).join();
    expect(shown).to.not.match(/[\u202a-\u202e\u2066-\u2069\u200b]|\u{e0041}/u);
    // Emoji and letters that join are whole.
    expect(shown).to.include("👩‍👩‍👧 می‌خواهم ❤️");
    const isolated = `[...document.querySelectorAll(".answer-text .text, .hidden-character")]
      .map((one) => getComputedStyle(one).unicodeBidi)`;
    for (const bidi of (await seat.page.evaluate(isolated)) as string[]) expect(bidi).to.equal("isolate");
  });

  it("keeps what is unsafe off the page until somebody opens it", async () => {
    const answers = [{ content: "Something cruel." }, { content: "Something kind." }];
    const project = await service.project([{ prompt: "Question 1", answers, unsafe: true }]);
    seat = await takeSeat({ browser, service, project });
    await seat.see("This one may be disturbing");
    expect(await seat.page.content()).to.not.include("cruel");
    await seat.press("ArrowLeft", "q");
    expect(await service.judged(project)).to.deep.equal([]);
    await seat.press("Enter");
    await seat.see("Something cruel.");
    await seat.see("Still to do: say which answer is better.");
    await seat.press("ArrowUp", "Enter");
    await seat.see("Nothing to judge right now");
    expect(await service.judged(project)).to.deep.equal([[{ kind: "pair", choice: "tie" }]]);
  });
});

/** Address, headers and body. */
async function everythingOf(response: Awaited<ReturnType<Page["waitForResponse"]>>): Promise<string> {
  const body = await response.text().catch(() => "");
  return [response.url(), JSON.stringify(await response.allHeaders()), body].join("\n");
}
