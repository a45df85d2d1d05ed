import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  ImageFormat as FormatMessage,
  type Image as ImageMessage,
  ImageSchema,
  type ImageSpec,
  ImagePartRole as RoleMessage,
  ImageState as StateMessage,
} from '../../../gen/runmachine/machine/v1/image_pb.ts';
import { etagOf } from '../../store/sql/page.ts';
import {
  type Image,
  type ImageFormat,
  type ImagePart,
  type ImagePartRole,
  type ImageState,
  imageName,
} from '../domain/image.ts';
import { given, problemMessage, propertyMessages } from './machine-message.ts';

const FORMATS: ReadonlyMap<FormatMessage, ImageFormat> = new Map<FormatMessage, ImageFormat>([
  [FormatMessage.KERNEL, 'kernel'],
  [FormatMessage.QCOW2, 'qcow2'],
  [FormatMessage.RAW, 'raw'],
  [FormatMessage.ISO, 'iso'],
]);

const FORMAT: Readonly<Record<ImageFormat, FormatMessage>> = {
  kernel: FormatMessage.KERNEL,
  qcow2: FormatMessage.QCOW2,
  raw: FormatMessage.RAW,
  iso: FormatMessage.ISO,
};

const ROLES: ReadonlyMap<RoleMessage, ImagePartRole> = new Map<RoleMessage, ImagePartRole>([
  [RoleMessage.KERNEL, 'kernel'],
  [RoleMessage.INITRD, 'initrd'],
  [RoleMessage.DISK, 'disk'],
  [RoleMessage.MEDIA, 'media'],
]);

const ROLE: Readonly<Record<ImagePartRole, RoleMessage>> = {
  kernel: RoleMessage.KERNEL,
  initrd: RoleMessage.INITRD,
  disk: RoleMessage.DISK,
  media: RoleMessage.MEDIA,
};

const STATE: Readonly<Record<ImageState, StateMessage>> = {
  importing: StateMessage.IMPORTING,
  available: StateMessage.AVAILABLE,
  import_failed: StateMessage.IMPORT_FAILED,
};

/** Undefined for a role that this version does not know. */
export const roleOf = (role: RoleMessage): ImagePartRole | undefined => ROLES.get(role);

export const imageMessage = (image: Image, incarnation: number): ImageMessage => {
  const sum = (of: (part: ImagePart) => number) =>
    image.parts.reduce((total, part) => total + of(part), 0);
  const isKnown = image.parts.every((part) => part.sizeBytes > 0);
  return create(ImageSchema, {
    name: imageName(image),
    uid: image.uid,
    etag: etagOf(image, incarnation),
    generation: BigInt(image.generation),
    createTime: timestampFromMs(image.createMs),
    updateTime: timestampFromMs(image.updateMs),
    properties: propertyMessages(image.properties),
    tags: [...image.tags],
    spec: {
      format: FORMAT[image.format],
      project: image.project === '' ? '' : `projects/${image.project}`,
      commandLine: image.commandLine,
      phonesHome: image.phonesHome,
      architecture: image.architecture,
      parts: image.parts.map((part) => ({
        role: ROLE[part.role],
        sha256: part.sha256,
        sizeBytes: BigInt(part.sizeBytes),
        url: part.url,
      })),
    },
    status: {
      state: STATE[image.state],
      ...given('problem', problemMessage(image.problem)),
      receivedBytes: BigInt(sum((part) => part.receivedBytes)),
      sizeBytes: isKnown ? BigInt(sum((part) => part.sizeBytes)) : 0n,
    },
  });
};

export type ImageWish = Pick<
  Image,
  'format' | 'commandLine' | 'phonesHome' | 'architecture' | 'parts'
> & {
  /** As given: "projects/{project}" or empty. */
  readonly projectName: string;
};

export const wishOf = (spec: ImageSpec | undefined): ImageWish => ({
  format: FORMATS.get(spec?.format ?? FormatMessage.UNSPECIFIED) ?? 'kernel',
  projectName: spec?.project ?? '',
  commandLine: spec?.commandLine ?? '',
  phonesHome: spec?.phonesHome ?? false,
  architecture: spec?.architecture === '' ? 'x86_64' : (spec?.architecture ?? 'x86_64'),
  parts: (spec?.parts ?? []).flatMap((part) => {
    const role = roleOf(part.role);
    return role === undefined
      ? []
      : [
          {
            role,
            sha256: part.sha256,
            sizeBytes: Number(part.sizeBytes),
            url: part.url,
            receivedBytes: 0,
            complete: false,
          },
        ];
  }),
});
