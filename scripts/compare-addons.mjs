// Compares what the two builds of the addon export: node-gyp's and cmake-js'. Fails when one of them is missing.

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(import.meta.url);

/** Names of everything exported, objects one level deep. */
function exportedKeys(path) {
  const addon = require(join(root, path));
  const keys = Object.entries(addon).flatMap(([name, value]) => {
    return typeof value === "object" && value !== null
      ? Object.keys(value).map((inner) => `${name}.${inner}`)
      : [`${name}: ${typeof value}`];
  });
  return keys.toSorted();
}

const [gyp, cmake] = ["build/Release/attune.node", "build-cmake/Release/attune.node"].map(exportedKeys);
const different = [
  ...gyp.filter((key) => !cmake.includes(key)).map((key) => `only node-gyp's addon has ${key}`),
  ...cmake.filter((key) => !gyp.includes(key)).map((key) => `only cmake-js' addon has ${key}`),
];
for (const line of different) console.error(line);
console.log(
  `${gyp.length} exports in one addon, ${cmake.length} in the other, ${different.length} differences`,
);
process.exitCode = different.length > 0 || gyp.length === 0 ? 1 : 0;
