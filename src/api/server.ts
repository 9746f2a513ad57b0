// The HTTP side: routes, and what holds for all of them. It keeps no state but open streams: any number of API processes serve the
// same jobs. schemas.ts and request.ts say what a request may be, jobs.ts, events.ts, inspect.ts, plans.ts, tags.ts and health.ts are the routes, problem.ts
// turns every error into its answer, docs.ts makes openapi.yaml of it all.

import { fastify, LogController, type FastifyBaseLogger } from "fastify";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { ANSWER_SCHEMAS } from "./answers.ts";
import type { App, ServerDeps } from "./app.ts";
import { addJsonBody, BODY_LIMIT } from "./body.ts";
import { addDocs } from "./docs.ts";
import { EVENT_SCHEMAS } from "./event-schemas.ts";
import { addEventRoutes } from "./events.ts";
import { addHealthRoutes } from "./health.ts";
import { addInspectRoute } from "./inspect.ts";
import { addJobRoutes } from "./jobs.ts";
import { LOOKUP_SCHEMAS } from "./lookup-schemas.ts";
import { Lookups } from "./lookups.ts";
import { Plan } from "./plan-schemas.ts";
import { addPlanRoute } from "./plans.ts";
import { pathOf, rawProblem, RequestFault, sendProblem } from "./problem.ts";
import { JobRequest } from "./schemas.ts";
import { Streams } from "./sse.ts";
import { addTagsRoute } from "./tags.ts";
import { authenticator } from "./tenants.ts";

/** Everything but listening. Closing it ends all streams. */
export async function buildServer(deps: ServerDeps): Promise<App> {
  const app = fastify({
    ...OPTIONS,
    loggerInstance: deps.logger as FastifyBaseLogger,
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
    clientErrorHandler: (error, socket) =>
      void (socket.writable ? socket.end(rawProblem(error)) : socket.destroy()),
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.decorateRequest("tenant", "");
  app.setErrorHandler(sendProblem);
  // Answers are views that are made for clients; a second filter would only hide what is missing in a schema.
  app.setSerializerCompiler(() => JSON.stringify);
  addJsonBody(app);
  addHeaders(app);
  addNotFound(app);
  addAccessLog(app);
  await addDocs(app);
  const schemas = [JobRequest, ...ANSWER_SCHEMAS, ...EVENT_SCHEMAS, ...LOOKUP_SCHEMAS, Plan];
  for (const schema of schemas) app.addSchema(schema);
  addHealthRoutes(app, deps);
  const streams = new Streams();
  app.addHook("preClose", async () => streams.close());
  const lookups = new Lookups();
  app.addHook("onClose", async () => lookups[Symbol.asyncDispose]());
  const authenticate = authenticator(deps.apiKeys);
  await app.register(
    async (v1: App) => {
      v1.addHook("onRequest", async (request) => {
        request.tenant = authenticate(request.headers.authorization);
      });
      addJobRoutes(v1, deps);
      addEventRoutes(v1, deps, streams);
      addInspectRoute(v1, deps, lookups);
      addPlanRoute(v1, deps, lookups);
      addTagsRoute(v1, deps, lookups);
    },
    { prefix: "/v1" },
  );
  return app;
}

const OPTIONS = {
  logController: new LogController({ disableRequestLogging: true }),
  requestIdHeader: false,
  trustProxy: false,
  bodyLimit: BODY_LIMIT,
  routerOptions: { maxParamLength: 128 },
  // Ms. A request must arrive in time; a connection on which nothing moves outlasts `Prefer: wait=60` and heartbeats, no more.
  requestTimeout: 15_000,
  connectionTimeout: 90_000,
  keepAliveTimeout: 65_000,
  http: { headersTimeout: 10_000, connectionsCheckingInterval: 5000 },
  forceCloseConnections: "idle",
  return503OnClosing: false,
  // Fastify's own choice drops unknown fields and takes "5" for 5.
  ajv: {
    customOptions: {
      removeAdditional: false,
      coerceTypes: false,
      useDefaults: false,
      allErrors: true,
    },
  },
} as const;

/** Pages bring their own policy; everything else is data. */
const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

function addHeaders(app: App): void {
  app.addHook("onSend", async (_request, reply) => {
    for (const [name, value] of Object.entries(HEADERS))
      if (!reply.hasHeader(name)) reply.header(name, value);
  });
}

/** 405 where the address exists and the method does not. */
function addNotFound(app: App): void {
  const routes: { readonly parts: readonly string[]; readonly methods: readonly string[] }[] = [];
  app.addHook("onRoute", ({ url, method }) => {
    routes.push({ parts: url.split("/"), methods: [method].flat() });
  });
  app.setNotFoundHandler((request, reply) => {
    const parts = pathOf(request.url).split("/");
    const fits = routes.filter(
      (route) =>
        route.parts.length === parts.length &&
        route.parts.every((part, i) => part === parts[i] || part.startsWith(":")),
    );
    const allow = [...new Set(fits.flatMap(({ methods }) => methods))].join(", ");
    const fault =
      allow === ""
        ? new RequestFault(404, "there is nothing at this address")
        : new RequestFault(405, `this address takes ${allow}`, { allow });
    return sendProblem(fault, request, reply);
  });
}

function addAccessLog(app: App): void {
  app.addHook("onResponse", async (request, reply) => {
    request.log.debug(
      {
        method: request.method,
        path: pathOf(request.url),
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      "answered",
    );
  });
}
