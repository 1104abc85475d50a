// Loads a file of rows with the built package and prints what it took: `stream-rows.mjs FILE WORKERS [TOKENIZER]`.
// Without a tokenizer's folder, a stand-in makes one id of four letters, so that reading and storing set the pace.

import { loadRows } from "../../../dist/data/index.js";
import { loadTokenizer } from "../../../dist/text/index.js";
import { peakRssBytes } from "../../../dist/train/metrics.js";

const [file = "", workers = "0", folder] = process.argv.slice(2);

const standIn = {
  encode: (text) => {
    const ids = new Int32Array(Math.ceil(text.length / 4));
    for (let i = 0; i < ids.length; i++) ids[i] = 1 + ((text.charCodeAt(4 * i) * 31 + i) % 999);
    return ids;
  },
  decode: () => "",
  vocabSize: 1000,
  idOf: () => undefined,
  tokenOf: () => undefined,
  eosId: 0,
  eosIds: [0],
  bosId: undefined,
  startIds: new Int32Array(0),
  chat: undefined,
  hash: "four letters",
};

/** Rows that differ from what their place says they are, over a sample of all. */
function misplaced(rows, sample) {
  let wrong = 0;
  for (let i = 0; i < sample; i++) {
    const position = Math.floor((i * rows.length) / sample);
    const row = rows.at(position);
    if (row?.index !== position || row.place.line !== position + 1) wrong += 1;
  }
  return wrong;
}

const tokenizer = folder === undefined ? standIn : await loadTokenizer({ path: folder });
const started = performance.now();
const { rows, counts } = await loadRows({
  data: file,
  tokenizer,
  task: "preference",
  overLength: "truncate",
  workers: Number(workers),
});
const milliseconds = Math.round(performance.now() - started);
const wrong = misplaced(rows, 1000);
// Not getrusage: that counts what the parent had when it made this process.
const peak = peakRssBytes();
console.log(JSON.stringify({ rows: rows.length, read: counts.read, milliseconds, wrong, peak }));
rows.close();
