import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadTokenizer, tokenizerFiles } from "../../lib/text/index.js";
import { failureOf } from "../errors/expect-failure.js";
import { arrayPair, ggufFile, ggufType, i32, pair, text, textPair, u32 } from "./gguf-writer.js";
import { byteAlphabet, byteIds, tinyTokenizerJson } from "./tiny-tokenizer.js";

describe("loadTokenizer", () => {
  let root: string;
  let next = 0;

  before(() => {
    root = mkdtempSync(join(tmpdir(), "attune-tokenizer-"));
  });
  after(() => rmSync(root, { recursive: true }));

  /** A new folder with these files; objects are written as JSON. */
  const folderWith = (files: Readonly<Record<string, object | string | Buffer>>) => {
    const folder = join(root, `model-${next++}`);
    mkdirSync(folder);
    for (const [name, contents] of Object.entries(files)) {
      const plain = typeof contents === "string" || Buffer.isBuffer(contents);
      writeFileSync(join(folder, name), plain ? contents : JSON.stringify(contents));
    }
    return folder;
  };
  const tiny = tinyTokenizerJson();
  const load = (files: Readonly<Record<string, object | string | Buffer>>) =>
    loadTokenizer({ path: folderWith(files) });

  /** A GGUF file with a byte-level vocabulary: 256 bytes, "hi", "<end>". */
  const gguf = (
    changes: { readonly pre?: string; readonly model?: string; readonly merges?: readonly string[] } = {},
  ) => {
    const tokens = [...byteAlphabet(), "hi", "<end>"];
    return ggufFile({
      pairs: [
        textPair("tokenizer.ggml.model", changes.model ?? "gpt2"),
        ...(changes.pre === "" ? [] : [textPair("tokenizer.ggml.pre", changes.pre ?? "gpt-2")]),
        arrayPair("tokenizer.ggml.tokens", ggufType.string, tokens.map(text)),
        arrayPair(
          "tokenizer.ggml.token_type",
          ggufType.i32,
          tokens.map((token) => i32(token === "<end>" ? 3 : 1)),
        ),
        arrayPair("tokenizer.ggml.merges", ggufType.string, (changes.merges ?? ["h i"]).map(text)),
        pair("tokenizer.ggml.eos_token_id", ggufType.u32, u32(257)),
        textPair("tokenizer.chat_template", "{{ messages[0].content + eos_token }}"),
      ],
    });
  };

  it("reads a folder", async () => {
    const tokenizer = await load({ "tokenizer.json": tiny });
    expect([...tokenizer.encode("ab")]).to.deep.equal(byteIds("ab"));
    expect(tokenizer.vocabSize).to.equal(261);
  });

  it("reads a tokenizer.json named directly", async () => {
    const path = join(folderWith({ "tokenizer.json": tiny }), "tokenizer.json");
    expect([...(await loadTokenizer({ path })).encode("ab")]).to.deep.equal(byteIds("ab"));
  });

  it("reads the tokenizer.json beside a file of weights", async () => {
    const path = join(
      folderWith({ "tokenizer.json": tiny, "model.safetensors": "weights" }),
      "model.safetensors",
    );
    expect((await loadTokenizer({ path })).vocabSize).to.equal(261);
  });

  it("finds ids by spelling and spelling by id", async () => {
    const tokenizer = await load({ "tokenizer.json": tiny });
    expect(tokenizer.idOf("<bos>")).to.equal(1);
    expect(tokenizer.idOf("absent")).to.equal(undefined);
    expect(tokenizer.tokenOf(260)).to.equal("Ġhi");
  });

  it("reads special tokens written in the text as one id", async () => {
    const tokenizer = await load({ "tokenizer.json": tiny });
    expect([...tokenizer.encode("a<eos>b")]).to.deep.equal([...byteIds("a"), 0, ...byteIds("b")]);
  });

  it("leaves special tokens out of decoded text when asked", async () => {
    const tokenizer = await load({ "tokenizer.json": tiny });
    const ids = [1, ...byteIds("hey"), 0];
    expect(tokenizer.decode(ids)).to.equal("<bos>hey<eos>");
    expect(tokenizer.decode(ids, { skipSpecial: true })).to.equal("hey");
  });

  it("takes the EOS from tokenizer_config.json first, then further ids of generation_config.json", async () => {
    const tokenizer = await load({
      "tokenizer.json": tiny,
      "tokenizer_config.json": { eos_token: { content: "<eos>" }, bos_token: "<bos>" },
      "generation_config.json": { eos_token_id: [2, 0] },
    });
    expect(tokenizer.eosId).to.equal(0);
    expect(tokenizer.eosIds).to.deep.equal([0, 2]);
    expect(tokenizer.bosId).to.equal(1);
  });

  it("takes the EOS from config.json where nothing else names it", async () => {
    const tokenizer = await load({
      "tokenizer.json": tiny,
      "config.json": { eos_token_id: 2, bos_token_id: 1 },
    });
    expect([tokenizer.eosId, tokenizer.bosId]).to.deep.equal([2, 1]);
  });

  it("knows no EOS where no file names one", async () => {
    expect((await load({ "tokenizer.json": tiny })).eosId).to.equal(undefined);
  });

  it("tells what the tokenizer puts in front", async () => {
    expect([...(await load({ "tokenizer.json": tiny })).startIds]).to.deep.equal([]);
    const starting = await load({ "tokenizer.json": tinyTokenizerJson({ startsWithBos: true }) });
    expect([...starting.startIds]).to.deep.equal([1]);
  });

  it("hashes equal files alike, and another EOS differently", async () => {
    const first = await load({ "tokenizer.json": tiny, "config.json": { eos_token_id: 0 } });
    const same = await load({ "tokenizer.json": tiny, "config.json": { eos_token_id: 0, other: 1 } });
    const other = await load({ "tokenizer.json": tiny, "config.json": { eos_token_id: 2 } });
    expect(first.hash)
      .to.match(/^[0-9a-f]{64}$/)
      .and.equal(same.hash);
    expect(other.hash).to.not.equal(first.hash);
  });

  it("uses the tokenizer.json beside a GGUF file, with the file's EOS where no other is named", async () => {
    const folder = folderWith({ "tokenizer.json": tiny, "model.gguf": gguf() });
    const tokenizer = await loadTokenizer({ path: join(folder, "model.gguf") });
    expect(tokenizer.vocabSize).to.equal(261);
    expect(tokenizer.eosId).to.equal(257);
  });

  it("uses a GGUF file's own vocabulary where there is no tokenizer.json", async () => {
    const path = join(folderWith({ "model.gguf": gguf() }), "model.gguf");
    const tokenizer = await loadTokenizer({ path });
    expect([...tokenizer.encode("hi!<end>")]).to.deep.equal([256, 33, 257]);
    expect(tokenizer.eosId).to.equal(257);
    expect(tokenizer.decode([256, 33, 257], { skipSpecial: true })).to.equal("hi!");
  });

  it("uses a GGUF file's chat template, with its special tokens", async () => {
    const path = join(folderWith({ "model.gguf": gguf() }), "model.gguf");
    const { chat } = await loadTokenizer({ path });
    expect(chat?.render([{ role: "user", content: "hi" }])).to.equal("hi<end>");
  });

  it("uses the chat template of a GGUF file beside a tokenizer.json where the folder has none", async () => {
    const folder = folderWith({ "tokenizer.json": tiny, "model.gguf": gguf() });
    const { chat } = await loadTokenizer({ path: join(folder, "model.gguf") });
    expect(chat?.render([{ role: "user", content: "hi" }])).to.equal("hi<end>");
  });

  it("recognises a GGUF file by its first bytes", async () => {
    const path = join(folderWith({ model: gguf() }), "model");
    expect((await loadTokenizer({ path })).vocabSize).to.equal(258);
  });

  it("writes tokenizer files of a GGUF vocabulary that load to the same ids", async () => {
    const path = join(folderWith({ "model.gguf": gguf() }), "model.gguf");
    const files = await tokenizerFiles({ path });
    const copy = folderWith(Object.fromEntries(files.map((file) => [file.name, Buffer.from(file.contents)])));
    const [own, loaded] = [await loadTokenizer({ path }), await loadTokenizer({ path: copy })];
    expect([...loaded.encode("oh hi<end>")]).to.deep.equal([...own.encode("oh hi<end>")]);
    expect(loaded.eosId).to.equal(own.eosId);
  });

  it("puts another chat template in place of a folder's own", async () => {
    const path = folderWith({ "tokenizer.json": tiny, "chat_template.jinja": "own", "mine.jinja": "mine" });
    const files = await tokenizerFiles({ path, chatTemplate: join(path, "mine.jinja") });
    const templates = files.filter(({ name }) => name === "chat_template.jinja");
    expect(templates.map(({ contents }) => Buffer.from(contents).toString())).to.deep.equal(["mine"]);
  });

  it("copies the tokenizer files of a folder byte for byte", async () => {
    const files = await tokenizerFiles({ path: folderWith({ "tokenizer.json": tiny, "config.json": {} }) });
    expect(files.map((file) => file.name)).to.deep.equal(["tokenizer.json"]);
    expect(Buffer.from(files[0]?.contents ?? []).toString()).to.equal(JSON.stringify(tiny));
  });

  describe("refuses", () => {
    const refusals: readonly (readonly [string, string, () => unknown, RegExp])[] = [
      [
        "a path that is not there",
        "ATTUNE_FILE",
        () => loadTokenizer({ path: join(root, "none") }),
        /cannot be read/,
      ],
      [
        "a folder without tokenizer.json",
        "ATTUNE_TOKENIZER",
        () => load({}),
        /Expected tokenizer.json .* there is none/,
      ],
      [
        "broken JSON",
        "ATTUNE_TOKENIZER",
        () => load({ "tokenizer.json": '{"model": ' }),
        /Is the file complete/,
      ],
      ["an empty file", "ATTUNE_TOKENIZER", () => load({ "tokenizer.json": "" }), /cannot be parsed/],
      [
        "JSON that is no tokenizer",
        "ATTUNE_TOKENIZER",
        () => load({ "tokenizer.json": { a: 1 } }),
        /found keys a/,
      ],
      ["a list", "ATTUNE_TOKENIZER", () => load({ "tokenizer.json": [] }), /with a "model"/],
      [
        "an unknown kind of model",
        "ATTUNE_TOKENIZER",
        () => load({ "tokenizer.json": { model: { type: "WordLevel", vocab: {} } } }),
        /BPE, Unigram, WordPiece .*found WordLevel/,
      ],
      [
        "an empty vocabulary",
        "ATTUNE_TOKENIZER",
        () => load({ "tokenizer.json": { model: { type: "BPE", vocab: {}, merges: [] } } }),
        /no entries/,
      ],
      [
        "an unknown splitting rule",
        "ATTUNE_TOKENIZER",
        () => load({ "tokenizer.json": { ...tiny, pre_tokenizer: { type: "Strange" } } }),
        /cannot be used: Unknown PreTokenizer type: Strange/,
      ],
      [
        "a pre-tokenizer name in a GGUF file that is not known",
        "ATTUNE_TOKENIZER",
        () => loadTokenizer({ path: join(folderWith({ "m.gguf": gguf({ pre: "tekken" }) }), "m.gguf") }),
        /one of smollm, .*found "tekken"\. Put the model's tokenizer.json beside/,
      ],
      [
        "a GGUF file without a pre-tokenizer name",
        "ATTUNE_TOKENIZER",
        () => loadTokenizer({ path: join(folderWith({ "m.gguf": gguf({ pre: "" }) }), "m.gguf") }),
        /found none/,
      ],
      [
        "a kind of GGUF vocabulary that is not known",
        "ATTUNE_TOKENIZER",
        () => loadTokenizer({ path: join(folderWith({ "m.gguf": gguf({ model: "t5" }) }), "m.gguf") }),
        /"gpt2" or "llama" but found "t5"/,
      ],
      [
        "a GGUF file without a tokenizer",
        "ATTUNE_TOKENIZER",
        () => loadTokenizer({ path: join(folderWith({ "m.gguf": ggufFile() }), "m.gguf") }),
        /found no tokenizer/,
      ],
      [
        "a merge that is no pair",
        "ATTUNE_TOKENIZER",
        () => loadTokenizer({ path: join(folderWith({ "m.gguf": gguf({ merges: ["hi"] }) }), "m.gguf") }),
        /two tokens in each entry/,
      ],
      [
        "an id outside the vocabulary",
        "ATTUNE_TOKENIZER",
        async () => (await load({ "tokenizer.json": tiny })).decode([5, 261]),
        /0 to 260.* received 261/,
      ],
    ];
    for (const [what, code, work, message] of refusals) {
      it(what, async () => {
        const error = await failureOf(work);
        expect(error.code).to.equal(code);
        expect(error.message).to.match(message);
        expect(error.exitCode).to.equal(2);
      });
    }
  });
});
