// Turns pictures into PNG with resvg, which is installed only by those who want it. Must not draw anything itself.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fail, reasonOf } from "../errors/index.js";
import type { Picture } from "./svg-pictures.js";

export interface PngPicture {
  readonly name: string;
  readonly png: Uint8Array;
}

const packages = "@resvg/resvg-js dejavu-fonts-ttf";

/** Twice the size of the drawing, for sharp screens. */
const zoom = 2;

/**
 * Text is drawn in DejaVu Sans where its package is installed, else in a font of the system.
 * @throws ATTUNE_FILE when resvg is not installed, or when there is no font at all
 */
export async function renderPng(pictures: readonly Picture[]): Promise<readonly PngPicture[]> {
  const { Resvg } = await loadRenderer();
  const fontFiles = fontFilesOf();
  const options = {
    fitTo: { mode: "zoom" as const, value: zoom },
    font: {
      fontFiles: [...fontFiles],
      loadSystemFonts: fontFiles.length === 0,
      defaultFontFamily: "DejaVu Sans",
    },
  };
  const probe = `<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><text y="50" font-family="DejaVu Sans, Verdana, Arial, sans-serif">M</text></svg>`;
  if (new Resvg(probe, options).getBBox() === undefined) throw missing("no font was found to write with");
  return pictures.map(({ name, svg }) => ({ name, png: new Resvg(svg, options).render().asPng() }));
}

async function loadRenderer(): Promise<typeof import("@resvg/resvg-js")> {
  try {
    return await import("@resvg/resvg-js");
  } catch (error) {
    throw missing(`the package that draws them is not installed (${reasonOf(error)})`, error);
  }
}

function missing(why: string, cause?: unknown) {
  const text = `PNG pictures cannot be made: ${why}. Run \`npm install ${packages}\`, or use --svg DIR.`;
  return fail("ATTUNE_FILE", text, { cause });
}

/** Regular and bold; none where the package is not installed. */
function fontFilesOf(): readonly string[] {
  try {
    const description = createRequire(import.meta.url).resolve("dejavu-fonts-ttf/package.json");
    return ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"]
      .map((name) => join(dirname(description), "ttf", name))
      .filter((path) => existsSync(path));
  } catch {
    return [];
  }
}
