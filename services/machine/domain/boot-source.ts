/**
 * From what a guest boots, by digest: what an assignment carries. Made of an image once, when the
 * machine is accepted, so that a later change of the image cannot change a machine.
 */
import { failedPrecondition, invalidArgument } from '../../runtime/errors.ts';
import { type Image, type ImagePartRole, imageName } from './image.ts';
import type { Boot, MachineSpec, ReadyWhen, Resolved } from './machine.ts';

export type BootSource = {
  readonly kind: 'kernel' | 'disk' | 'media' | 'network' | 'none';
  /** Hexadecimal; empty = none. */
  readonly kernelSha256: string;
  readonly initrdSha256: string;
  readonly diskSha256: string;
  readonly diskFormat: '' | 'qcow2' | 'raw';
  readonly mediaSha256: string;
  readonly commandLine: string;
};

const NOTHING: BootSource = {
  kind: 'none',
  kernelSha256: '',
  initrdSha256: '',
  diskSha256: '',
  diskFormat: '',
  mediaSha256: '',
  commandLine: '',
};

const COMMAND_LINE = 'console=ttyS0';

/** Which image a boot names; undefined = none. */
export const imageOf = (boot: Boot | null): string | undefined =>
  boot?.kind === 'image' || boot?.kind === 'media' ? boot.image : undefined;

/**
 * What the spec means with that image (undefined where it names none). Errors: failed_precondition
 * INVALID_STATE for an image that is not complete, invalid_argument IMAGE_INVALID for one that
 * cannot be booted that way.
 */
export const resolveBoot = (spec: MachineSpec, image: Image | undefined): Resolved => {
  const boot = spec.boot ?? { kind: 'none' };
  switch (boot.kind) {
    case 'none':
    case 'network':
      return resolved(spec, { ...NOTHING, kind: boot.kind }, undefined);
    case 'image':
    case 'media': {
      if (image === undefined) throw new Error('The image must be read before it is resolved');
      checkComplete(image);
      if (boot.kind === 'media' && image.format !== 'iso') {
        throw invalid(image, 'spec.boot.media needs an image of format ISO');
      }
      return resolved(spec, sourceOf(image), image);
    }
    default:
      return boot satisfies never;
  }
};

const resolved = (spec: MachineSpec, boot: BootSource, image: Image | undefined): Resolved => ({
  boot,
  readyWhen: spec.readyWhen ?? defaultReady(image),
  imageUids: image === undefined ? [] : [image.uid],
  diskBytes: spec.diskBytes > 0 ? spec.diskBytes : diskBytesOf(image),
});

const defaultReady = (image: Image | undefined): ReadyWhen =>
  image?.phonesHome === true ? { kind: 'phone_home' } : { kind: 'running' };

const diskBytesOf = (image: Image | undefined): number =>
  image?.parts.find((part) => part.role === 'disk')?.sizeBytes ?? 0;

const sourceOf = (image: Image): BootSource => {
  const digest = (role: ImagePartRole) =>
    image.parts.find((part) => part.role === role)?.sha256 ?? '';
  switch (image.format) {
    case 'kernel':
      return {
        ...NOTHING,
        kind: 'kernel',
        kernelSha256: digest('kernel'),
        initrdSha256: digest('initrd'),
        commandLine: image.commandLine === '' ? COMMAND_LINE : image.commandLine,
      };
    case 'qcow2':
    case 'raw':
      return { ...NOTHING, kind: 'disk', diskSha256: digest('disk'), diskFormat: image.format };
    case 'iso':
      return { ...NOTHING, kind: 'media', mediaSha256: digest('media') };
    default:
      return image.format satisfies never;
  }
};

/** Digests that an agent may fetch for this source. */
export const digestsOf = (boot: BootSource): readonly string[] =>
  [boot.kernelSha256, boot.initrdSha256, boot.diskSha256, boot.mediaSha256].filter(
    (digest) => digest !== '',
  );

const checkComplete = (image: Image): void => {
  if (image.state === 'available') return;
  const state = image.state.toUpperCase();
  throw failedPrecondition(
    'INVALID_STATE',
    `The image "${imageName(image)}" is ${state}; a machine needs one that is AVAILABLE`,
    {
      invalidState: { state, allowed: ['AVAILABLE'] },
      metadata: { image: imageName(image) },
    },
  );
};

const invalid = (image: Image, problem: string) =>
  invalidArgument('IMAGE_INVALID', `The image "${imageName(image)}" does not fit: ${problem}`, {
    metadata: { image: imageName(image), field: 'machine.spec.boot' },
    violations: [{ field: 'machine.spec.boot', description: problem }],
  });
