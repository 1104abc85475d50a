// Every chat template of the oracle on every conversation: texts, refusals, ids and masks of the assistant's tokens.
// Must not name a template or count: whatever chat.json lists is run, and an empty list fails.

import { existsSync } from "node:fs";
import { expect } from "chai";
import {
  type ChatMessage,
  type ChatTemplate,
  createChatTemplate,
  loadTokenizer,
  maskConversation,
  type Tokenizer,
} from "../../lib/text/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { oracleEntries, oraclePath, readOracleJson, sharedPath } from "../support/oracle-folder.js";

interface ExpectedMask {
  readonly text: string;
  readonly ids: readonly number[];
  /** null where a token straddles a boundary. */
  readonly assistant_mask: readonly number[] | null;
  /** Code points. */
  readonly char_spans: readonly (readonly [number, number])[];
}

interface TemplateCase {
  readonly tokenizer: string;
  readonly chat_template: string;
  readonly bos_token: string | null;
  readonly eos_token: string | null;
  readonly rendered: Readonly<Record<string, { readonly plain: string; readonly generation_prompt: string }>>;
  readonly masks: Readonly<Record<string, ExpectedMask>>;
  readonly must_fail?: readonly { readonly messages: readonly ChatMessage[]; readonly message: string }[];
}

interface ChatFile {
  readonly conversations: Readonly<Record<string, readonly ChatMessage[]>>;
  readonly templates: Readonly<Record<string, TemplateCase>>;
}

interface CasesFile {
  readonly tokenizers: Readonly<Record<string, { readonly file: string }>>;
}

describe("oracle: tokenizer, chat templates", () => {
  const found = oracleEntries("tokenizer").includes("chat.json");
  const chat = found
    ? readOracleJson<ChatFile>("tokenizer", "chat.json")
    : { conversations: {}, templates: {} };

  it("lists at least one template and one conversation", () => {
    expect(Object.keys(chat.templates)).to.not.have.length(0);
    expect(Object.keys(chat.conversations)).to.not.have.length(0);
  });

  for (const [name, expected] of Object.entries(chat.templates))
    describe(name, () => checkTemplate(name, expected, chat.conversations));
});

function checkTemplate(name: string, expected: TemplateCase, conversations: ChatFile["conversations"]): void {
  const tokens = { bos_token: expected.bos_token, eos_token: expected.eos_token };
  const specialTokens = Object.fromEntries(Object.entries(tokens).filter(([, token]) => token !== null));
  const templates = { default: expected.chat_template };
  const template = createChatTemplate({ templates, specialTokens, source: name });
  const messagesOf = (conversation: string) => conversations[conversation] ?? [];

  it("renders every conversation to the same text, with and without a generation prompt", () => {
    expect(Object.keys(expected.rendered)).to.not.have.length(0);
    for (const [conversation, { plain, generation_prompt: opened }] of Object.entries(expected.rendered)) {
      const messages = messagesOf(conversation);
      expect(template.render(messages), conversation).to.equal(plain);
      expect(template.render(messages, { addGenerationPrompt: true }), conversation).to.equal(opened);
    }
  });

  for (const [i, { messages, message }] of (expected.must_fail ?? []).entries()) {
    it(`refuses conversation ${i + 1} of those that must fail, in its own words`, async () => {
      const error = await failureOf(() => template.render(messages));
      expect(error.code).to.equal("ATTUNE_TEMPLATE");
      expect(error.message).to.contain(message);
    });
  }

  checkMasks(expected, template, messagesOf);
}

function checkMasks(
  expected: TemplateCase,
  template: ChatTemplate,
  messagesOf: (conversation: string) => readonly ChatMessage[],
): void {
  const { tokenizers } = readOracleJson<CasesFile>("tokenizer", "cases.json");
  let tokenizer: Tokenizer;

  before(async () => {
    const path = locate(tokenizers[expected.tokenizer]?.file ?? "");
    tokenizer = { ...(await loadTokenizer({ path })), chat: template };
  });

  for (const [conversation, wanted] of Object.entries(expected.masks)) {
    const messages = messagesOf(conversation);
    it(`finds the assistant's characters in ${conversation}`, () => {
      const own = maskConversation({ tokenizer, messages });
      const points = (units: number) => [...own.text.slice(0, units)].length;
      expect(own.text).to.equal(wanted.text);
      expect(own.characters.map((span) => span.map(points))).to.deep.equal(wanted.char_spans);
    });
    if (wanted.assistant_mask === null) {
      it(`tokenises ${conversation} in parts, since a token straddles a boundary`, () => {
        const { inParts, ids, turns, characters, text } = maskConversation({ tokenizer, messages });
        expect(inParts).to.equal(true);
        expect([...ids]).to.not.deep.equal(wanted.ids);
        const texts = turns.map(([from, to]) => tokenizer.decode(ids.subarray(from, to)));
        expect(texts).to.deep.equal(characters.map(([from, to]) => text.slice(from, to)));
      });
      continue;
    }
    it(`finds the assistant's tokens in ${conversation}`, () => {
      const own = maskConversation({ tokenizer, messages });
      expect([...own.ids]).to.deep.equal(wanted.ids);
      expect([...own.mask]).to.deep.equal(wanted.assistant_mask);
      expect(own.inParts).to.equal(false);
    });
  }
}

/** A folder of expected values may lie elsewhere than the models it names beside it. */
function locate(file: string): string {
  const path = oraclePath("tokenizer", file);
  return existsSync(path) ? path : sharedPath("oracle/tokenizer", file);
}
