// Which image of a list is meant (semantics 8.6, containers/image internal/pkg/platform).

/** As lists and configs spell it: Go's GOOS and GOARCH. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
  /** Of the CPU; in docker's lists only. */
  readonly features?: readonly string[];
}

/** A client's wish; what is absent is the worker's own. */
export interface PlatformChoice {
  readonly os?: string;
  readonly architecture?: string;
  readonly variant?: string;
}

/** Known variants, best first; an older one runs where a newer one is wanted. */
const VARIANTS: Readonly<Record<string, readonly string[]>> = {
  arm: ["v8", "v7", "v6", "v5"],
  arm64: ["v8"],
};

/** Node's names for this machine in Go's words. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  ia32: "386",
  ppc64: "ppc64le",
  loong64: "loong64",
};

/** The platform of a machine; `variant` only where Go detects one. */
export function hostPlatform(
  nodeArch: string,
  nodePlatform: string,
  armVersion?: string,
): Platform {
  const os = nodePlatform === "win32" ? "windows" : nodePlatform;
  const architecture = ARCHITECTURES[nodeArch] ?? nodeArch;
  if (architecture === "arm64") return { os, architecture, variant: "v8" };
  if (architecture === "arm" && armVersion !== undefined)
    return { os, architecture, variant: `v${armVersion}` };
  return { os, architecture };
}

/**
 * All platforms that satisfy a wish, best first. The host's variant counts only while no architecture is asked for
 * (semantics 8.6: asking for `arm64` on an arm64 host prefers images without a variant).
 */
export function wantedPlatforms(choice: PlatformChoice, host: Platform): readonly Platform[] {
  const os = choice.os ?? host.os;
  const architecture = choice.architecture ?? host.architecture;
  const variant = choice.variant ?? (choice.architecture === undefined ? host.variant : undefined);
  return variantsFor(architecture, variant).map((v) => ({
    os,
    architecture,
    ...(v !== "" && { variant: v }),
  }));
}

function variantsFor(architecture: string, variant: string | undefined): readonly string[] {
  const known = VARIANTS[architecture] ?? [];
  if (variant === undefined || variant === "") return ["", ...known];
  const at = known.indexOf(variant);
  return at < 0 ? [variant, ""] : [...known.slice(at), ""];
}

/** Exact equality of os, architecture and variant; versions and features are never looked at. */
export const samePlatform = (a: Platform, b: Platform): boolean =>
  a.os === b.os && a.architecture === b.architecture && (a.variant ?? "") === (b.variant ?? "");

/** `os/architecture[/variant]`, or undefined where the text is not one. */
export function parsePlatform(text: string): Platform | undefined {
  const [os, architecture, variant, ...rest] = text.split("/");
  if (!os || !architecture || rest.length > 0 || variant === "") return undefined;
  return { os, architecture, ...(variant !== undefined && { variant }) };
}

export const formatPlatform = (p: PlatformChoice): string =>
  [p.os, p.architecture, p.variant].filter(Boolean).join("/");
