// The OpenAPI document of the service, from the routes' own schemas. Must not know what the calls do.

import { z } from "zod";
import type { Route } from "./route.js";

type Json = Readonly<Record<string, unknown>>;

export function openApiDocument(routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method]: operationOf(route) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "attune feedback",
      version: "1",
      description:
        "People's judgements of model outputs: collected, measured, and turned into rows for training.",
    },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: {
        Error: {
          type: "object",
          required: ["code", "message"],
          properties: {
            code: { type: "string", description: "stable; docs/troubleshooting.md lists all" },
            message: { type: "string" },
            field: { type: "string", description: "what of the request is wrong" },
          },
        },
      },
    },
  };
}

function operationOf(route: Route): Json {
  const body = route.body === undefined ? undefined : schemaOf(route.body);
  return {
    operationId: operationId(route),
    summary: route.summary,
    description: `For tokens of role ${route.roles.join(", ")}.`,
    parameters: [...pathParameters(route), ...projectParameter(route), ...queryParameters(route)],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
    responses: {
      ...answersOf(route),
      default: {
        description: "what went wrong",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

/** `getV1LeasesIdRenew`: programs that are made from the document name their functions so. */
function operationId({ method, path }: Route): string {
  const parts = path.match(/\w+/g) ?? [];
  return [method, ...parts.map((part) => `${part[0]?.toUpperCase()}${part.slice(1)}`)].join("");
}

const nothing = { 204: { description: "done, or nothing is there" } };

function answersOf({ answers, orNothing = false }: Route): Json {
  if (answers === "nothing") return nothing;
  const content =
    answers === "lines"
      ? { "application/x-ndjson": { schema: { type: "string" } } }
      : answers === "events"
        ? { "text/event-stream": { schema: { type: "string" } } }
        : { "application/json": { schema: answers === undefined ? {} : schemaOf(answers, "output") } };
  return { 200: { description: "done", content }, ...(orNothing ? nothing : {}) };
}

function schemaOf(schema: z.ZodType, io: "input" | "output" = "input"): Json {
  // Schemas that are used twice are written twice: a reference would point into this schema, not into the document.
  const options = { io, unrepresentable: "any", reused: "inline", cycles: "throw" } as const;
  const { $schema: _, ...rest } = z.toJSONSchema(schema, options) as Json & { $schema?: unknown };
  return rest;
}

function pathParameters({ path }: Route): readonly Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
}

function projectParameter({ ofProject }: Route): readonly Json[] {
  if (ofProject === false) return [];
  const description = "needed where the token is of every project";
  return [{ name: "project", in: "query", required: false, description, schema: { type: "string" } }];
}

function queryParameters({ query }: Route): readonly Json[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = schemaOf(query) as {
    properties?: Record<string, Json>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema,
  }));
}
