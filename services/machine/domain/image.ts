/** Images: what they are made of and when they are complete. */
import { invalidArgument } from '../../runtime/errors.ts';
import type { Problem } from './machine.ts';

export type ImageFormat = 'kernel' | 'qcow2' | 'raw' | 'iso';
export type ImagePartRole = 'kernel' | 'initrd' | 'disk' | 'media';
export type ImageState = 'importing' | 'available' | 'import_failed';

export type ImagePart = {
  readonly role: ImagePartRole;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  /** 0 = unknown until it is here. */
  readonly sizeBytes: number;
  /** http or https; empty = it is uploaded. */
  readonly url: string;
  /** Bytes that are here. */
  readonly receivedBytes: number;
  readonly complete: boolean;
};

export type Image = {
  readonly uid: string;
  readonly version: number;
  readonly imageId: string;
  readonly generation: number;
  readonly createMs: number;
  readonly updateMs: number;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
  readonly format: ImageFormat;
  /** Project id; empty = shared by all. */
  readonly project: string;
  readonly commandLine: string;
  readonly phonesHome: boolean;
  readonly architecture: string;
  readonly parts: readonly ImagePart[];
  readonly state: ImageState;
  readonly problem: Problem | null;
};

export const imageName = (image: Pick<Image, 'imageId'>): string => `images/${image.imageId}`;

const ROLES: Readonly<
  Record<ImageFormat, { readonly need: readonly ImagePartRole[]; readonly may: readonly string[] }>
> = {
  kernel: { need: ['kernel'], may: ['kernel', 'initrd'] },
  qcow2: { need: ['disk'], may: ['disk'] },
  raw: { need: ['disk'], may: ['disk'] },
  iso: { need: ['media'], may: ['media'] },
};

/** Refuses parts that do not make an image of that format; errors name the part. */
export const checkParts = (
  format: ImageFormat,
  parts: readonly Pick<ImagePart, 'role' | 'url'>[],
): void => {
  const { need, may } = ROLES[format];
  const roles = parts.map((part) => part.role);
  const missing = need.find((role) => !roles.includes(role));
  if (missing !== undefined) throw wrong(`an image of format ${format} needs a part "${missing}"`);
  const foreign = roles.find((role) => !may.includes(role));
  if (foreign !== undefined) throw wrong(`an image of format ${format} has no part "${foreign}"`);
  const doubled = roles.find((role, index) => roles.indexOf(role) !== index);
  if (doubled !== undefined) throw wrong(`the part "${doubled}" is there twice`);
  for (const { url } of parts) {
    if (url !== '' && !isHttpUrl(url)) throw wrong(`"${url}" is not an http or https URL`);
  }
};

const isHttpUrl = (text: string): boolean => {
  const url = URL.parse(text);
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:');
};

const wrong = (description: string) =>
  invalidArgument('INVALID_FIELD', `image.spec.parts: ${description}`, {
    metadata: { field: 'image.spec.parts' },
    violations: [{ field: 'image.spec.parts', description }],
  });

/** The image after a part has come in whole. */
export const withPart = (image: Image, role: ImagePartRole, sizeBytes: number): Image => {
  const parts = image.parts.map((part) =>
    part.role === role ? { ...part, sizeBytes, receivedBytes: sizeBytes, complete: true } : part,
  );
  const done = parts.every((part) => part.complete);
  return { ...image, parts, ...(done && { state: 'available' as const, problem: null }) };
};

export const withProgress = (image: Image, role: ImagePartRole, receivedBytes: number): Image => ({
  ...image,
  parts: image.parts.map((part) => (part.role === role ? { ...part, receivedBytes } : part)),
});

export const importFailed = (image: Image, problem: Problem): Image => ({
  ...image,
  state: 'import_failed',
  problem,
});

/** The first part that has yet to be fetched from its URL; undefined = nothing to fetch. */
export const partToFetch = (image: Image): ImagePart | undefined =>
  image.state === 'importing'
    ? image.parts.find((part) => !part.complete && part.url !== '')
    : undefined;
