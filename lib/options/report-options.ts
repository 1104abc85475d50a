// The options of `report`; the runs themselves are its arguments. Must not import any room.

import { z } from "zod";
import { commandOptions, option } from "./shared-options.js";

export const reportOptions = z.strictObject({
  output: option(
    z.string().min(1).optional(),
    "the page to write (default: report.html in the folder of a single run, else in this folder)",
    { group: "Files", value: "FILE" },
  ),
  png: option(
    z.string().min(1).optional(),
    "folder for the plots as PNG, for a README; needs `npm install @resvg/resvg-js dejavu-fonts-ttf`",
    { group: "Files", value: "DIR" },
  ),
  svg: option(z.string().min(1).optional(), "folder for the plots as SVG", { group: "Files", value: "DIR" }),
  json: commandOptions.json,
});

export type ReportSettings = z.output<typeof reportOptions>;
