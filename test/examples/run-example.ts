// How examples are run by the tests: as TypeScript, with "attune" standing for the sources.
// Must not run anything.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

export const examples = join(root, "examples");

/** tsx takes the name "attune" from the paths of the repository's tsconfig.json, wherever it runs. */
export const exampleEnvironment = {
  ...process.env,
  TSX_TSCONFIG_PATH: join(root, "tsconfig.json"),
} as const;
