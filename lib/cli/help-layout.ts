// How help is laid out: flags in a narrow column, so that one flag with many choices does not push every description
// to the right edge of the terminal.

import { Help } from "commander";

/** Characters of the column of flags. */
const columnWidth = 32;

/** For commander's `configureHelp`: a flag wider than the column stands on a line of its own, above its description. */
export const helpLayout: Partial<Help> = {
  padWidth: (command, helper) => Math.min(columnWidth, Help.prototype.padWidth.call(helper, command, helper)),
  formatItem: (term, width, description, helper) => {
    const standard = (first: string) =>
      Help.prototype.formatItem.call(helper, first, width, description, helper);
    const fits = description === "" || helper.displayWidth(term) <= width;
    return fits ? standard(term) : `  ${term}\n${standard("")}`;
  },
};
