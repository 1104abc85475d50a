// Prints entries of native/sources.json for gyp, which cannot read JSON itself. Runs in the package root.
const sources = require("./sources.json");
console.log(
  process.argv
    .slice(2)
    .flatMap((key) => sources[key])
    .join(" "),
);
