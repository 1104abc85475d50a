// A schema's options as a query brings them: texts for numbers and truths, commas between the numbers of a list.
// Must not know routes.

import { z } from "zod";

/** The same options, read from texts. */
export function queryOf<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape> {
  const read = Object.entries(shape).map(([name, schema]) => [name, fromText(schema as z.ZodType)]);
  return z.object(Object.fromEntries(read)) as unknown as z.ZodObject<Shape>;
}

function fromText(schema: z.ZodType): z.ZodType {
  const { type, description } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  const read = z.preprocess((given) => (typeof given === "string" ? readText(given, type) : given), schema);
  const optional = schema.safeParse(undefined).success ? read.optional() : read;
  return description === undefined ? optional : optional.describe(description);
}

function readText(text: string, type: unknown): unknown {
  switch (type) {
    case "integer":
    case "number":
      return text.trim() === "" ? text : Number(text);
    case "boolean":
      return text === "true" ? true : text === "false" ? false : text;
    case "array":
      return text.split(",").map(Number);
    default:
      return text;
  }
}
