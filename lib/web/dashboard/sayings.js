// Judgements in words, with answers by letters in the order in which they were added. Pure.

import { letterOf } from "./format.js";

const choices = {
  tie: "equal",
  both_good: "both good",
  both_bad: "both bad",
  cannot_compare: "cannot be compared",
};

const strengths = ["hardly", "slightly", "clearly", "much"];

/** `shown`: where each position was when the item was added. */
export function sayValue(value, shown) {
  const answer = (place) => letterOf(shown[place] ?? place);
  switch (value.kind) {
    case "pair": {
      const { choice, strength } = value;
      if (choices[choice] !== undefined) return choices[choice];
      const how = strength === undefined ? "" : `${strengths[strength] ?? strength} `;
      return `${answer(choice === "left" ? 0 : 1)} ${how}better`;
    }
    case "ranking":
      return value.tiers.map((tier) => tier.map(answer).sort().join(" = ")).join(" > ");
    case "rating":
      return `${value.axis} of ${answer(value.answer)}: ${value.value}`;
    case "thumb":
      return `${answer(value.answer)}: ${value.up ? "up" : "down"}`;
    case "edit":
      return `${answer(value.answer)} edited to: ${value.text}`;
    case "comment":
      return `${value.answer === undefined ? "" : `on ${answer(value.answer)}: `}${value.text}`;
    default:
      return `${answer(value.answer)}, characters ${value.start} to ${value.end}: ${value.tag}`;
  }
}

export const sayValues = (values, shown) => values.map((value) => sayValue(value, shown)).join("; ");
