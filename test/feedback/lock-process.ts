// A process of its own that tries for every lock of a folder at the moment that it is told of, as others do, and prints the
// number of each one that it got. Arguments: the folder, the first moment, milliseconds between two, how many.

import { join } from "node:path";
import { lockFile } from "../../lib/feedback/store/lock-file.js";

const [folder = "", first = "0", step = "0", count = "0"] = process.argv.slice(2);

for (let round = 0; round < Number(count); round++) {
  while (Date.now() < Number(first) + round * Number(step));
  try {
    lockFile(join(folder, `lock-${round}`));
    process.stdout.write(`${round}\n`);
  } catch {
    // Somebody else has it.
  }
}
