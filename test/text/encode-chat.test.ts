import { expect } from "chai";
import {
  type ChatMessage,
  encodeChatCompletion,
  encodeChatPrompt,
  maskConversation,
  type Tokenizer,
} from "../../lib/text/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { byteIds, tinyChat, tinyIds, tinyTokenizer } from "./tiny-tokenizer.js";

const { eos, bos } = tinyIds;
const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });

function encode(
  messages: readonly ChatMessage[],
  completion: readonly ChatMessage[],
  tokenizer: Tokenizer = tinyTokenizer({ chat: tinyChat }),
) {
  const prompt = encodeChatPrompt({ tokenizer, messages });
  const rest = encodeChatCompletion({ tokenizer, messages, completion, promptText: prompt.text });
  return { prompt: [...prompt.ids], completion: [...rest] };
}

describe("encodeChatPrompt and encodeChatCompletion", () => {
  it("open the assistant's turn after a user's message, and cut the answer after its end-of-turn token", () => {
    expect(encode([user("q")], [assistant("b")])).to.deep.equal({
      prompt: byteIds("U:q\nA:"),
      completion: [...byteIds("b"), eos],
    });
  });

  it("open it after a tool's message", () => {
    const { prompt } = encode([user("q"), assistant("c"), { role: "tool", content: "r" }], [assistant("b")]);
    expect(prompt).to.deep.equal([...byteIds("U:q\nA:c"), eos, ...byteIds("\nT:r\nA:")]);
  });

  it("continue an assistant's message that ends the prompt", () => {
    expect(encode([user("q"), assistant("on")], [assistant("e")])).to.deep.equal({
      prompt: byteIds("U:q\nA:on"),
      completion: [...byteIds("e"), eos],
    });
  });

  it("never join a token over the boundary", () => {
    // "hi" is one token, but not across the border.
    expect(encode([user("q"), assistant("h")], [assistant("i")]).completion).to.deep.equal([
      ...byteIds("i"),
      eos,
    ]);
  });

  it("keep an answer of several turns up to its last end of turn", () => {
    const { completion } = encode([user("q")], [assistant("b"), user("r"), assistant("c")]);
    expect(completion).to.deep.equal([...byteIds("b"), eos, ...byteIds("\nU:r\nA:c"), eos]);
  });

  it("end an answer that spells the end of turn out with one such token", () => {
    expect(encode([user("q")], [assistant("b<eos>")]).completion).to.deep.equal([...byteIds("b"), eos]);
  });

  it("put BOS in front once, whether the template or the tokenizer writes it", () => {
    const start = [bos, ...byteIds("U:q\nA:")];
    const written = tinyTokenizer({ chat: `{{ bos_token }}${tinyChat}`, startsWithBos: true });
    const added = tinyTokenizer({ chat: tinyChat, startsWithBos: true });
    expect(encode([user("q")], [assistant("b")], written).prompt).to.deep.equal(start);
    expect(encode([user("q")], [assistant("b")], added).prompt).to.deep.equal(start);
  });

  it("refuse two BOS tokens", async () => {
    const tokenizer = tinyTokenizer({ chat: `{{ bos_token + bos_token }}${tinyChat}` });
    const error = await failureOf(() => encode([user("q")], [assistant("b")], tokenizer));
    expect(error.code).to.equal("ATTUNE_TEMPLATE");
    expect(error.message).to.contain('one BOS token ("<bos>") at the start but found two');
  });

  it("refuse a template that rewrites earlier turns, showing where", async () => {
    const chat = `{{ messages | length }}${tinyChat}`;
    const error = await failureOf(() => encode([user("q")], [assistant("b")], tinyTokenizer({ chat })));
    expect(error.code).to.equal("ATTUNE_TEMPLATE_PREFIX");
    expect(error.message).to.contain(
      'after 0 characters the prompt goes on "1U:q\\nA:", the conversation "2U:q',
    );
  });

  it("refuse a template whose answers do not end with an EOS token", async () => {
    const tokenizer = tinyTokenizer({ chat: tinyChat.replace("eos_token", "'!'") });
    const error = await failureOf(() => encode([user("q")], [assistant("b")], tokenizer));
    expect(error.code).to.equal("ATTUNE_TEMPLATE");
    expect(error.message).to.contain('EOS token ("<eos>") but it ends with "b!\\n"');
  });

  it("refuse text behind the end of turn", async () => {
    const tokenizer = tinyTokenizer({ chat: `${tinyChat}{% if not add_generation_prompt %}END{% endif %}` });
    const error = await failureOf(() => encode([user("q")], [assistant("b")], tokenizer));
    expect(error.code).to.equal("ATTUNE_TEMPLATE");
    expect(error.message).to.contain('it ends with "b<eos>\\nEND"');
  });

  it("refuse messages where the model has no template", async () => {
    const error = await failureOf(() => encode([user("q")], [assistant("b")], tinyTokenizer()));
    expect(error.code).to.equal("ATTUNE_TEMPLATE");
    expect(error.message).to.contain("--chat-template FILE");
  });
});

describe("maskConversation", () => {
  const chat =
    "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}{{ '' }}{% endif %}";

  it("marks each assistant's turn, the line break after it included", () => {
    const tokenizer = tinyTokenizer({ chat: tinyChat });
    const messages = [user("q"), assistant("b"), user("r"), assistant("c")];
    const { text, ids, mask, inParts } = maskConversation({ tokenizer, messages });
    expect(text).to.equal("U:q\nA:b<eos>\nU:r\nA:c<eos>\n");
    const marked = [...mask].map((one, i) => (one === 1 ? (ids[i] ?? -1) : -1)).filter((id) => id >= 0);
    expect(marked).to.deep.equal([...byteIds("b"), eos, ...byteIds("\nc"), eos, ...byteIds("\n")]);
    expect(inParts).to.equal(false);
  });

  it("tokenises the parts apart where a token straddles their boundary", () => {
    const tokenizer = tinyTokenizer({ chat });
    const { ids, mask, inParts } = maskConversation({ tokenizer, messages: [user("h"), assistant("i")] });
    expect([...ids]).to.deep.equal(byteIds("hi"));
    expect([...mask]).to.deep.equal([0, 1]);
    expect(inParts).to.equal(true);
  });

  it("refuses a template that rewrites earlier turns", async () => {
    const tokenizer = tinyTokenizer({ chat: `{{ messages | length }}${tinyChat}` });
    const messages = [user("q"), assistant("b"), user("r")];
    const error = await failureOf(() => maskConversation({ tokenizer, messages }));
    expect(error.code).to.equal("ATTUNE_TEMPLATE_PREFIX");
  });
});
