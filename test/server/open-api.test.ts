// The OpenAPI document: one of version 3.1, with every call that the app answers, and what each takes and answers.

import { expect } from "chai";
import type { Hono } from "hono";
import { createFeedbackApp } from "../../lib/server/feedback-app.js";
import { describedCalls } from "../../lib/server/feedback-routes.js";
import { openApiDocument } from "../../lib/server/open-api.js";
import { describeStores } from "../feedback/stores.js";

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;

const document = JSON.parse(JSON.stringify(openApiDocument(describedCalls))) as Json;

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters: readonly (Json & { readonly name: string; readonly in: string })[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
  readonly responses: Readonly<Record<string, Json>>;
}

const paths = document.paths as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

/** Calls that write and take no body: their path says it all. */
const withoutBody = [
  "post /v1/tokens/{id}/revoke",
  "post /v1/items/{id}/close",
  "post /v1/items/{id}/redact",
  "post /v1/judgements/{id}/redact",
  "post /v1/leases/{id}/renew",
  "post /v1/judgements/{id}/undo",
  "post /v1/webhooks/{id}/remove",
];

/** Calls of programs that an app answers, as the document writes them; pages and their files are none. */
function answered(app: Hono): readonly string[] {
  const calls = app.routes.filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1/"));
  return calls.map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/:(\w+)/g, "{$1}")}`);
}

/** Everything inside, with where it is. */
function* inside(value: unknown, at = "#"): Generator<readonly [string, Json]> {
  if (!isObject(value)) return;
  if (!Array.isArray(value)) yield [at, value];
  for (const [key, child] of Object.entries(value)) yield* inside(child, `${at}/${key}`);
}

function resolved(pointer: string): unknown {
  const parts = pointer.replace(/^#\//, "").split("/");
  return parts.reduce<unknown>((value, part) => (isObject(value) ? value[part] : undefined), document);
}

/** Keywords of JSON Schema 2020-12 that our schemas may use; another is a mistake or needs a line here. */
const keywords = new Set(
  [
    "type properties required additionalProperties propertyNames items prefixItems anyOf oneOf allOf enum const",
    "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength pattern format",
    "minItems maxItems default description $ref",
  ].flatMap((line) => line.split(" ")),
);
const types = ["string", "number", "integer", "boolean", "object", "array", "null"];

/** What is wrong with a schema, by place. */
function problems(schema: unknown, at: string): string[] {
  if (typeof schema === "boolean") return [];
  if (!isObject(schema)) return [`${at} is no schema`];
  const found = Object.keys(schema)
    .filter((keyword) => !keywords.has(keyword))
    .map((keyword) => `${at}: ${keyword}`);
  const own = [schema.type ?? []].flat();
  if (!own.every((type) => types.includes(String(type)))) found.push(`${at}: type`);
  const { properties = {}, required = [] } = schema as { properties?: Json; required?: string[] };
  found.push(...required.filter((name) => !(name in properties)).map((name) => `${at}: no ${name}`));
  for (const [name, child] of Object.entries(properties)) found.push(...problems(child, `${at}.${name}`));
  for (const keyword of ["anyOf", "oneOf", "allOf", "prefixItems"])
    for (const [i, child] of Object.entries((schema[keyword] as Json) ?? {}))
      found.push(...problems(child, `${at}.${keyword}${i}`));
  for (const keyword of ["items", "additionalProperties", "propertyNames"])
    if (schema[keyword] !== undefined) found.push(...problems(schema[keyword], `${at}.${keyword}`));
  return found;
}

describe("the OpenAPI document", () => {
  it("is of version 3.1, and every reference in it leads somewhere", () => {
    expect(document.openapi).to.equal("3.1.0");
    expect(document.info).to.include.all.keys("title", "version");
    const references = [...inside(document)].flatMap(([at, { $ref }]) =>
      $ref === undefined ? [] : [[at, $ref]],
    );
    expect(references.length).to.be.greaterThan(10);
    for (const [at, reference] of references)
      expect(resolved(String(reference)), String(at)).to.be.an("object");
  });

  it("has calls once each, with a summary, a name of its own, and an answer", () => {
    expect(operations).to.have.length(describedCalls.length);
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).to.equal(
      operations.length,
    );
    for (const { path, operation } of operations) {
      expect(operation.summary, path).to.not.be.empty;
      expect(Object.keys(operation.responses), path).to.satisfy(
        (all: string[]) => all.includes("default") && (all.includes("200") || all.includes("204")),
      );
      for (const [status, { description }] of Object.entries(operation.responses))
        expect(description, `${path} ${status}`).to.be.a("string");
    }
  });

  it("names the parameters that each path has, once each", () => {
    for (const { path, operation } of operations) {
      const of = (place: string) => operation.parameters.filter((one) => one.in === place);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(of("path").map(({ name }) => name)).to.deep.equal(inPath);
      expect(of("path").every(({ required }) => required === true)).to.equal(true);
      const names = operation.parameters.map((one) => `${one.in} ${one.name}`);
      expect(new Set(names).size, path).to.equal(names.length);
    }
  });

  it("says of every call what it takes and what it answers", () => {
    for (const { path, method, operation } of operations) {
      const name = `${method} ${path}`;
      const schemas = (content: unknown) =>
        Object.values((content ?? {}) as Readonly<Record<string, { readonly schema: Json }>>).map(
          ({ schema }) => schema,
        );
      const sends = schemas(operation.requestBody?.content);
      if (method === "post" || method === "put")
        expect(sends.length === 0, name).to.equal(withoutBody.includes(name));
      else expect(sends, name).to.be.empty;
      const gives = schemas(operation.responses["200"]?.content);
      if ("200" in operation.responses) expect(gives, name).to.have.length(1);
      // A schema that says nothing takes anything.
      for (const schema of [...sends, ...gives])
        expect(schema, name).to.satisfy((one: Json) => ["type", "anyOf", "oneOf"].some((key) => key in one));
    }
  });

  it("has schemas of JSON Schema 2020-12 alone", () => {
    const found = operations.flatMap(({ path, operation }) => {
      const bodies = [operation.requestBody, ...Object.values(operation.responses)] as readonly {
        content?: Readonly<Record<string, { schema: unknown }>>;
      }[];
      const contents = bodies.flatMap((body) => Object.values(body?.content ?? {}));
      const schemas = [...contents, ...(operation.parameters as readonly Json[])].map(({ schema }) => schema);
      return schemas.flatMap((schema, i) => problems(schema, `${path} ${i}`));
    });
    expect(found).to.deep.equal([]);
  });
});

describeStores("the OpenAPI document", (withStore) => {
  it(
    "has every call that the app answers, and no other",
    withStore(async ({ store }) => {
      const app = createFeedbackApp({ store });
      const described = operations.map(({ method, path }) => `${method} ${path}`);
      expect(answered(app).toSorted()).to.deep.equal(described.toSorted());
      const others = app.routes.filter(({ path }) => !path.startsWith("/v1/"));
      for (const { method, path } of others)
        expect(`${method} ${path}`).to.match(/^(?:ALL \/\*|GET \/(?:dashboard|web\/.*)?)$/);
      app.post("/v1/planted", (context) => context.body(null));
      expect(answered(app).filter((name) => !described.includes(name))).to.deep.equal(["post /v1/planted"]);
    }),
  );
});
