// References to layouts, folders and archives: `path[:image]`. A path holds no colon.

import { invalid } from "./invalid.ts";

/** A layout in a folder. */
export interface OciReference extends InLayout {
  readonly transport: "oci";
}

/** A layout in one tar file. */
export interface OciArchiveReference extends InLayout {
  readonly transport: "oci-archive";
}

interface InLayout {
  readonly path: string;
  /** The value of `org.opencontainers.image.ref.name`. */
  readonly name?: string;
  /** `@n`: the n-th entry of index.json; sources only. */
  readonly entry?: number;
}

export interface DirReference {
  readonly transport: "dir";
  readonly path: string;
}

/** Layers in files, root first; sources only. */
export interface TarballReference {
  readonly transport: "tarball";
  readonly paths: readonly string[];
}

export const parseOci = (rest: string, whole: string): OciReference => ({
  transport: "oci",
  ...parseInLayout(rest, whole),
});

export const parseOciArchive = (rest: string, whole: string): OciArchiveReference => ({
  transport: "oci-archive",
  ...parseInLayout(rest, whole),
});

function parseInLayout(rest: string, whole: string): InLayout {
  const { path, image } = splitPath(rest, whole);
  if (image === undefined) return { path };
  const entry = entryIn(image, whole);
  return entry === undefined ? { path, name: ociName(image, whole) } : { path, entry };
}

export function parseDir(rest: string, whole: string): DirReference {
  if (rest === "") throw invalid(whole, "a path is missing after `dir:`");
  return { transport: "dir", path: rest };
}

export function parseTarball(rest: string, whole: string): TarballReference {
  const paths = rest.split(":");
  for (const path of paths) {
    if (path === "")
      throw invalid(whole, "a path is missing: write `tarball:path`, or `tarball:path:path`");
    if (path === "-") throw invalid(whole, "`-` stands for standard input, which a job has not");
  }
  return { transport: "tarball", paths };
}

/** What stands before and after the first colon. */
export function splitPath(
  rest: string,
  whole: string,
): { readonly path: string; readonly image: string | undefined } {
  const colon = rest.indexOf(":");
  const path = colon < 0 ? rest : rest.slice(0, colon);
  if (path === "")
    throw invalid(whole, `a path is missing after \`${whole.slice(0, whole.indexOf(":") + 1)}\``);
  return { path, image: colon < 0 ? undefined : rest.slice(colon + 1) };
}

/** The number in `@n`; undefined: it is none. */
export function entryIn(image: string, whole: string): number | undefined {
  if (!image.startsWith("@")) return undefined;
  if (!/^@[0-9]{1,6}$/.test(image))
    throw invalid(whole, `\`${image}\` is not an entry such as \`@0\``);
  return Number(image.slice(1));
}

function ociName(name: string, whole: string): string {
  if (isOciName(name)) return name;
  throw invalid(
    whole,
    `\`${name}\` is not an image name: letters and digits, separated by one of \`- . _ : @ +\`, \`--\` or \`/\``,
  );
}

/** containers/image oci/layout: `comp(/comp)*`, comp = alphanumeric runs separated by one of `-._:@+` or by `--`. */
function isOciName(name: string): boolean {
  return name.split("/").every((component) => {
    for (let i = 0; i < component.length; i++) {
      if (isAlnum(component, i)) continue;
      if (component.startsWith("--", i)) i++;
      else if (!"-._:@+".includes(component[i] ?? "")) return false;
      if (i + 1 >= component.length || !isAlnum(component, i + 1)) return false;
    }
    return component !== "" && isAlnum(component, 0);
  });
}

const isAlnum = (text: string, at: number): boolean => /[A-Za-z0-9]/.test(text[at] ?? "");
