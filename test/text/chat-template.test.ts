import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { createChatTemplate, loadTokenizer } from "../../lib/text/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { suiteFolder } from "../support/temporary-folder.js";
import { tinyTokenizerJson } from "./tiny-tokenizer.js";

const messages = [{ role: "user", content: "hi" }];

function render(
  template: string,
  options: Parameters<ReturnType<typeof createChatTemplate>["render"]>[1] = {},
) {
  const date = new Date("2024-02-03T14:05:06Z");
  const specialTokens = { eos_token: "</s>" };
  return createChatTemplate({ templates: { default: template }, specialTokens, source: "test", date }).render(
    messages,
    options,
  );
}

describe("createChatTemplate", () => {
  it("takes off the line break after a block and the spaces before it", () => {
    expect(render("a\n  {% if true %}\nb\n  {% endif %}\nc")).to.equal("a\nb\nc");
  });

  it("passes a generation block through", () => {
    expect(render("{% generation %}{{ messages[0].content }}{% endgeneration %}.")).to.equal("hi.");
  });

  it("writes special tokens, and nothing for one that is not named", () => {
    expect(render("{{ bos_token }}{{ eos_token }}")).to.equal("</s>");
  });

  it("writes JSON with transformers' separators", () => {
    const tools = [{ name: "é", of: [1, 2] }];
    expect(render("{{ tools | tojson }}", { tools })).to.equal('[{"name": "é", "of": [1, 2]}]');
  });

  it("tells the date it was given, in English", () => {
    expect(render("{{ strftime_now('%d %b %Y %H:%M %A %-d') }}")).to.equal("03 Feb 2024 14:05 Saturday 3");
  });

  it("gives the template none for tools and documents that are not there", () => {
    expect(render("{{ tools is none and documents is none }}")).to.equal("true");
  });

  it("gives the template documents and further variables", () => {
    const options = { documents: ["d"], kwargs: { thinking: false } };
    expect(render("{{ documents[0] }}{{ thinking }}", options)).to.equal("dfalse");
  });

  it("lets no further variable replace the messages or open the assistant's turn", () => {
    const options = { kwargs: { messages: [], add_generation_prompt: true } };
    expect(render("{{ messages[0].content }}{{ add_generation_prompt }}", options)).to.equal("hifalse");
  });

  it("counts a range as Python does", () => {
    expect(
      render("{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}"),
    ).to.equal("012531");
  });

  it("uses the template named tool_use where tools are given", () => {
    const templates = { default: "plain", tool_use: "tools" };
    const chat = createChatTemplate({ templates, source: "test" });
    expect(chat.render(messages)).to.equal("plain");
    expect(chat.render(messages, { tools: [{}] })).to.equal("tools");
  });

  it("refuses in the template's own words", async () => {
    const error = await failureOf(() => render("{{ raise_exception('no ' + messages[0].role) }}"));
    expect(error.code).to.equal("ATTUNE_TEMPLATE");
    expect(error.message).to.contain("refuses them: no user.");
  });

  it("names the place of a template that is no Jinja, at its first use", async () => {
    const chat = createChatTemplate({ templates: { default: "{% if %}" }, source: "some/file" });
    const error = await failureOf(() => chat.render(messages));
    expect(error.code).to.equal("ATTUNE_TEMPLATE");
    expect(error.message).to.match(/chat template in some\/file .*cannot be parsed: .*--chat-template/);
  });

  it("has another hash for another template, other tokens, and another day where the date is asked for", () => {
    const hash = (template: string, token = "a", day = 1) => {
      const date = new Date(Date.UTC(2024, 0, day));
      const specialTokens = { eos_token: token };
      return createChatTemplate({ templates: { default: template }, specialTokens, source: "t", date }).hash;
    };
    expect(hash("x")).to.match(/^[0-9a-f]{64}$/);
    expect(new Set([hash("x"), hash("y"), hash("x", "b")]).size).to.equal(3);
    expect(hash("x", "a", 2)).to.equal(hash("x"));
    expect(hash("{{ strftime_now('%d') }}", "a", 2)).to.not.equal(hash("{{ strftime_now('%d') }}"));
  });
});

describe("loadTokenizer finds the chat template", () => {
  const place = suiteFolder();
  let count = 0;

  const load = async (files: Readonly<Record<string, unknown>>, chatTemplate?: string) => {
    const folder = place(String(count++));
    mkdirSync(folder);
    const all = { "tokenizer.json": tinyTokenizerJson(), ...files };
    for (const [name, contents] of Object.entries(all))
      writeFileSync(join(folder, name), typeof contents === "string" ? contents : JSON.stringify(contents));
    const options = chatTemplate === undefined ? {} : { chatTemplate: join(folder, chatTemplate) };
    const { chat } = await loadTokenizer({ path: folder, ...options });
    return chat?.render(messages);
  };

  it("in chat_template.jinja, before tokenizer_config.json", async () => {
    const files = { "chat_template.jinja": "file", "tokenizer_config.json": { chat_template: "config" } };
    expect(await load(files)).to.equal("file");
  });

  it("in tokenizer_config.json, with the special tokens beside it", async () => {
    const config = {
      chat_template: "{{ eos_token }}{{ bos_token }}",
      eos_token: "E",
      bos_token: { content: "B" },
    };
    expect(await load({ "tokenizer_config.json": config })).to.equal("EB");
  });

  it("in a list of named templates", async () => {
    const chat_template = [
      { name: "other", template: "o" },
      { name: "default", template: "d" },
    ];
    expect(await load({ "tokenizer_config.json": { chat_template } })).to.equal("d");
  });

  it("in a file that replaces the model's own", async () => {
    const files = { "chat_template.jinja": "own", "mine.jinja": "mine" };
    expect(await load(files, "mine.jinja")).to.equal("mine");
  });

  it("nowhere, and then there is none", async () => {
    expect(await load({})).to.equal(undefined);
  });

  it("and names a file that is not there", async () => {
    const error = await failureOf(() => load({}, "absent.jinja"));
    expect(error.code).to.equal("ATTUNE_FILE");
    expect(error.message).to.contain("absent.jinja");
  });
});
