import { createClient } from '@connectrpc/connect';
import {
  ImageFormat,
  ImageFormatSchema,
  ImageSchema,
  ImageState,
  ImageStateSchema,
} from '../../../gen/runmachine/machine/v1/image_pb.ts';
import { ImageService } from '../../../gen/runmachine/machine/v1/image_service_pb.ts';
import { callOptions } from '../call-options.ts';
import { deleteCommand, getCommand, listCommand, type Noun } from '../crud.ts';
import { enumWord } from '../format/enum-word.ts';
import { formatSizeBytes } from '../format/size.ts';
import { formatLocalTime } from '../format/span.ts';
import { formatFields } from '../format/table.ts';
import { atTop, lastSegment } from '../resource-names.ts';

export const imageNoun: Noun<typeof ImageSchema> = {
  singular: 'image',
  schema: ImageSchema,
  name: (image) => image.name,
  fullName: (_, typed) => atTop('images', typed),
  columns: [
    { title: 'NAME', value: (image) => lastSegment(image.name) },
    {
      title: 'STATE',
      value: (image) => enumWord(ImageStateSchema, image.status?.state ?? ImageState.UNSPECIFIED),
    },
    {
      title: 'FORMAT',
      value: (image) => enumWord(ImageFormatSchema, image.spec?.format ?? ImageFormat.UNSPECIFIED),
    },
    { title: 'SIZE', value: (image) => formatSizeBytes(image.status?.sizeBytes ?? 0n) },
    { title: 'OWNER', value: (image) => lastSegment(image.spec?.project ?? '') || 'shared' },
  ],
  people: (image) =>
    formatFields([
      ['name', image.name],
      ['uid', image.uid],
      ['state', enumWord(ImageStateSchema, image.status?.state ?? ImageState.UNSPECIFIED)],
      ['problem', image.status?.problem?.message ?? ''],
      ['format', enumWord(ImageFormatSchema, image.spec?.format ?? ImageFormat.UNSPECIFIED)],
      ['command line', image.spec?.commandLine ?? ''],
      ['phones home', image.spec?.phonesHome ? 'yes' : 'no'],
      ...(image.spec?.parts ?? []).map((part): [string, string] => [
        'part',
        `${formatSizeBytes(part.sizeBytes)} sha256:${part.sha256} ${part.url}`,
      ]),
      ['created', formatLocalTime(image.createTime)],
    ]),
};

export const get = getCommand(imageNoun, async (context, name) => {
  const client = createClient(ImageService, context.transport());
  return (await client.getImage({ name }, callOptions(context))).image;
});

export const list = listCommand(imageNoun, async (context, page) => {
  const client = createClient(ImageService, context.transport());
  const answer = await client.listImages(page, callOptions(context));
  return { rows: answer.images, nextPageToken: answer.nextPageToken };
});

export const remove = deleteCommand(imageNoun, async (context, request) => {
  const client = createClient(ImageService, context.transport());
  await client.deleteImage(request, callOptions(context));
});
