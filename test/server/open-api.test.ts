// The OpenAPI document: one of version 3.1, with every call, and true of what the service answers.

import { expect } from "chai";
import { feedbackRoutes } from "../../lib/server/feedback-routes.js";
import { openApiDocument } from "../../lib/server/open-api.js";
import { describeStores } from "../feedback/stores.js";
import { type Call, withService } from "./real-service.js";

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;

const document = JSON.parse(JSON.stringify(openApiDocument(feedbackRoutes))) as Json;

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
  if (schema.type !== undefined && !types.includes(String(schema.type))) found.push(`${at}: type`);
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

  it("has every call, once, with a summary, a name of its own, and an answer", () => {
    expect(operations).to.have.length(feedbackRoutes.length);
    for (const { method, path } of feedbackRoutes)
      expect(paths[path.replace(/:(\w+)/g, "{$1}")], path).to.have.property(method);
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
    "says what calls answer",
    withStore((test) =>
      withService(test, async ({ call, owner, trainer, people: [token] }) => {
        const checked = new Set<string>();
        const check = async (route: string, path: string, options: Call) => {
          const { status, body } = await call(path, options);
          const [method, template] = route.split(" ");
          const found = feedbackRoutes.find((one) => one.method === method && one.path === template);
          const answers = found?.answers;
          if (answers === undefined) throw new Error(`${route} does not say what it answers`);
          expect(status, route).to.equal(answers === "nothing" ? 204 : 200);
          if (typeof answers === "object") answers.parse(body);
          checked.add(route);
          return body as Readonly<Record<string, string>>;
        };
        const as = (token: string, body?: unknown, method?: string): Call => ({
          ...{ token, headers: { "idempotency-key": String(checked.size) } },
          ...(body === undefined ? {} : { body }),
          ...(method === undefined ? {} : { method }),
        });
        await check("put /v1/guidelines", "/v1/guidelines", as(owner, { text: "Be kind." }, "PUT"));
        await check("put /v1/settings", "/v1/settings", as(owner, { gold: 0 }, "PUT"));
        await check("post /v1/annotators", "/v1/annotators", as(owner, { annotator: "a", name: "A" }));
        const made = await check("post /v1/tokens", "/v1/tokens", as(owner, { role: "reader", name: "r" }));
        await check(
          "post /v1/tokens/:id/revoke",
          `/v1/tokens/${made.id}/revoke`,
          as(owner, undefined, "POST"),
        );
        const items = [{ prompt: "p", answers: [{ content: "a" }, { content: "b" }] }];
        await check("post /v1/items", "/v1/items", as(trainer, { items }));
        await check("post /v1/priorities", "/v1/priorities", as(trainer, { priorities: [["item-0", 9]] }));
        await check("post /v1/policies", "/v1/policies", as(trainer, { policy: "p", model: "m" }));
        const { body: leased } = await call("/v1/next", { token });
        const lease = `/v1/leases/${leased.lease}`;
        await check("put /v1/leases/:id/draft", `${lease}/draft`, as(token, { draft: { a: 1 } }, "PUT"));
        await check("post /v1/leases/:id/renew", `${lease}/renew`, as(token, undefined, "POST"));
        const values = [{ kind: "pair", choice: "left" }];
        const judged = await check(
          "post /v1/judgements",
          "/v1/judgements",
          as(token, { lease: leased.lease, values }),
        );
        const path = `/v1/judgements/${judged.judgement}`;
        const revised = await check(
          "post /v1/judgements/:id/revise",
          `${path}/revise`,
          as(token, { values }),
        );
        const undo = `/v1/judgements/${revised.judgement}/undo`;
        await check("post /v1/judgements/:id/undo", undo, as(token, undefined, "POST"));
        const { body: next } = await call("/v1/next", { token });
        await check("post /v1/skips", "/v1/skips", as(token, { lease: next.lease, reason: "other" }));
        await check("post /v1/items/:id/gold", "/v1/items/item-2/gold", as(owner, { right: values }));
        await check("post /v1/items/:id/close", "/v1/items/item-2/close", as(owner, undefined, "POST"));
        expect(checked.size).to.equal(16);
      }),
    ),
  );
});
