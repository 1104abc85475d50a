// The OpenAPI document of the service, from the routes' own schemas. Must not know what the calls do.

import { z } from "zod";
import type { Answers, DescribedCall } from "./route.js";
import { SESSION_COOKIE } from "./session.js";

type Json = Readonly<Record<string, unknown>>;

/** The document itself. */
export const openApiCall: DescribedCall = {
  method: "get",
  path: "/v1/openapi.json",
  roles: [],
  summary: "This document",
  answers: z.looseObject({ openapi: z.literal("3.1.0"), paths: z.record(z.string(), z.unknown()) }),
  ofProject: false,
};

export function openApiDocument(routes: readonly DescribedCall[]): Json {
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
    security: [{ token: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: SESSION_COOKIE,
          description: "of the service's own pages; writes need the header x-attune too",
        },
      },
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

function operationOf(route: DescribedCall): Json {
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(route.roles.length === 0
      ? { description: "Needs no token.", security: [] }
      : { description: `For tokens of role ${route.roles.join(", ")}.` }),
    parameters: [
      ...pathParameters(route),
      ...projectParameter(route),
      ...queryParameters(route),
      ...headerParameters(route),
    ],
    ...requestBodyOf(route),
    responses: {
      ...answersOf(route),
      default: {
        description: "what went wrong",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function requestBodyOf({ body, lines = false }: DescribedCall): Json {
  if (body === undefined) return {};
  const line = { type: "string", description: "one JSON object on each line" };
  const content = {
    "application/json": { schema: schemaOf(body) },
    ...(lines ? { "application/x-ndjson": { schema: line } } : {}),
  };
  return { requestBody: { required: true, content } };
}

/** `getV1LeasesIdRenew`: programs that are made from the document name their functions so. */
function operationId({ method, path }: DescribedCall): string {
  const parts = path.match(/\w+/g) ?? [];
  return [method, ...parts.map((part) => `${part[0]?.toUpperCase()}${part.slice(1)}`)].join("");
}

const nothing = { 204: { description: "done, or nothing is there" } };

function answersOf({ answers, orNothing = false }: DescribedCall): Json {
  if (answers === "nothing") return nothing;
  return { 200: { description: "done", content: contentOf(answers) }, ...(orNothing ? nothing : {}) };
}

/** Schemas of lines and events are those of one: the next version of OpenAPI has a name for that, this one has not. */
function contentOf(answers: Exclude<Answers, "nothing">): Json {
  if ("lines" in answers) return { "application/x-ndjson": { schema: schemaOf(answers.lines, "output") } };
  if ("events" in answers) return { "text/event-stream": { schema: schemaOf(answers.events, "output") } };
  return { "application/json": { schema: schemaOf(answers, "output") } };
}

function schemaOf(schema: z.ZodType, io: "input" | "output" = "input"): Json {
  // Schemas that are used twice are written twice: a reference would point into this schema, not into the document.
  const options = { io, unrepresentable: "any", reused: "inline", cycles: "throw" } as const;
  const { $schema: _, ...rest } = z.toJSONSchema(schema, options) as Json & { $schema?: unknown };
  return rest;
}

function pathParameters({ path }: DescribedCall): readonly Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
}

function projectParameter({ ofProject }: DescribedCall): readonly Json[] {
  if (ofProject === false) return [];
  const description = "needed where the token is of every project";
  return [{ name: "project", in: "query", required: false, description, schema: { type: "string" } }];
}

function headerParameters({ headers = {}, needsHeaders = false }: DescribedCall): readonly Json[] {
  return Object.entries(headers).map(([name, description]) => ({
    ...{ name, in: "header", required: needsHeaders, description, schema: { type: "string" } },
  }));
}

function queryParameters({ query }: DescribedCall): readonly Json[] {
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
