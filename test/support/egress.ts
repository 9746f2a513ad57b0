import { parseHosts, type EgressRules } from "../../src/host/egress.ts";

/** As without settings and API keys: loopback, where the test registries are, may be reached. */
export const LOOPBACK_TOO: EgressRules = {
  allowed: undefined,
  denied: parseHosts(""),
  privateNetworks: "all",
};
