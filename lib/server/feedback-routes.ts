// All calls of the feedback service, and those of its pages' sessions beside them. Must not know what they do.

import { annotatorRoutes } from "./annotator-routes.js";
import { captureRoutes } from "./capture-routes.js";
import { dashboardRoutes } from "./dashboard-routes.js";
import { exportRoutes } from "./export-routes.js";
import { importRoutes } from "./import-routes.js";
import { loopRoutes } from "./loop-routes.js";
import { openApiCall } from "./open-api.js";
import { ownerRoutes } from "./owner-routes.js";
import { readerRoutes } from "./reader-routes.js";
import { redactionRoutes } from "./redaction-routes.js";
import type { DescribedCall, Route } from "./route.js";
import { sessionCalls } from "./session.js";
import { trainerRoutes } from "./trainer-routes.js";
import { webhookRoutes } from "./webhook-routes.js";

export const feedbackRoutes: readonly Route[] = [
  ...ownerRoutes,
  ...trainerRoutes,
  ...captureRoutes,
  ...importRoutes,
  ...exportRoutes,
  ...redactionRoutes,
  ...annotatorRoutes,
  ...readerRoutes,
  ...dashboardRoutes,
  ...webhookRoutes,
  ...loopRoutes,
];

/** Those too that the app answers by itself: what the OpenAPI document describes. */
export const describedCalls: readonly DescribedCall[] = [...feedbackRoutes, ...sessionCalls, openApiCall];
