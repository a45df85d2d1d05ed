import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { createClient } from '@connectrpc/connect';
import {
  ImageFormat,
  ImagePartRole,
  ImageState,
} from '../../../gen/runmachine/machine/v1/image_pb.ts';
import { ImageService } from '../../../gen/runmachine/machine/v1/image_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Args, Command, Context } from '../command.ts';
import { formatSizeBytes } from '../format/size.ts';
import { formatSpanMs } from '../format/span.ts';
import { showOne } from '../output.ts';
import { newId } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';
import { imageNoun } from './image.ts';

type Source = { readonly role: ImagePartRole; readonly from: string; readonly what: string };
type Part = { role: ImagePartRole; sha256: string; sizeBytes: bigint; url: string };

const UPLOAD_LIMIT_MS = 3600_000;
const PART_BYTES = 512 * 1024;

export const importImage: Command = {
  summary: 'make an image of local files or of URLs',
  positionals: [
    { name: 'name', help: 'name of the new image' },
    {
      name: 'file',
      help: 'disk (.qcow2, .raw, .img) or CD-ROM (.iso): file or URL',
      optional: true,
    },
  ],
  options: {
    kernel: { type: 'string', value: 'FILE|URL', help: 'kernel, booted directly' },
    initrd: { type: 'string', value: 'FILE|URL', help: 'initial RAM disk' },
    'command-line': { type: 'string', value: 'TEXT', help: 'kernel command line (console=ttyS0)' },
    'phones-home': { type: 'boolean', help: 'its guest posts the boot token' },
    sha256: { type: 'string', value: 'HEX', help: 'checksum of FILE; needed for a URL' },
    'kernel-sha256': { type: 'string', value: 'HEX', help: 'checksum of a kernel from a URL' },
    'initrd-sha256': {
      type: 'string',
      value: 'HEX',
      help: 'checksum of an initial RAM disk from a URL',
    },
    private: { type: 'boolean', help: 'only for the project' },
  },
  examples: ['runm image import debian ./debian-12.qcow2', 'runm image import rescue ./rescue.iso'],
  run: async (context, args) => {
    const { format, sources } = wantedSources(args);
    const parts: Part[] = [];
    for (const source of sources) parts.push(await describePart(context, args, source));
    const client = createClient(ImageService, context.transport());
    const created = await client.createImage(
      {
        imageId: newId(args.positional('name')),
        image: {
          spec: {
            format,
            project: args.flag('private') ? `projects/${context.settings.project}` : '',
            commandLine: args.string('command-line') ?? '',
            phonesHome: args.flag('phones-home'),
            parts,
          },
        },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    const name = created.image?.name ?? '';
    for (const [index, source] of sources.entries()) {
      if (parts[index]?.url === '') await upload(context, { name, source });
    }
    return finished(context, name);
  },
};

const wantedSources = (args: Args): { format: ImageFormat; sources: Source[] } => {
  const [file, kernel, initrd] = [
    args.optionalPositional('file'),
    args.string('kernel'),
    args.string('initrd'),
  ];
  if (kernel !== undefined && file === undefined) {
    const sources: Source[] = [{ role: ImagePartRole.KERNEL, from: kernel, what: 'kernel' }];
    if (initrd !== undefined) {
      sources.push({ role: ImagePartRole.INITRD, from: initrd, what: 'initrd' });
    }
    return { format: ImageFormat.KERNEL, sources };
  }
  if (file === undefined)
    throw new UsageError('nothing to import', 'give a FILE, or --kernel and --initrd');
  if (kernel !== undefined) throw new UsageError('FILE and --kernel exclude each other');
  const what = 'file';
  if (/\.iso$/i.test(file)) {
    return { format: ImageFormat.ISO, sources: [{ role: ImagePartRole.MEDIA, from: file, what }] };
  }
  const format = /\.qcow2$/i.test(file) ? ImageFormat.QCOW2 : ImageFormat.RAW;
  if (format === ImageFormat.RAW && !/\.(raw|img)$/i.test(file)) {
    throw new UsageError(
      `cannot tell what ${basename(file)} is`,
      'name it .qcow2, .raw, .img or .iso',
    );
  }
  return { format, sources: [{ role: ImagePartRole.DISK, from: file, what }] };
};

const isUrl = (text: string): boolean => /^https?:\/\//.test(text);

const describePart = async (context: Context, args: Args, source: Source): Promise<Part> => {
  const option = source.what === 'file' ? 'sha256' : `${source.what}-sha256`;
  const given = args.string(option)?.toLowerCase();
  if (given !== undefined && !/^[0-9a-f]{64}$/.test(given)) {
    throw new UsageError(`--${option} is not a SHA-256 in hexadecimal`);
  }
  if (isUrl(source.from)) {
    if (given === undefined)
      throw new UsageError(`--${option} is missing`, 'a URL needs its checksum');
    return { role: source.role, sha256: given, sizeBytes: 0n, url: source.from };
  }
  const found = await measure(context, source.from);
  if (given !== undefined && given !== found.sha256) {
    throw new UsageError(`${source.from} has SHA-256 ${found.sha256}, not ${given}`);
  }
  return { role: source.role, ...found, url: '' };
};

const measure = async (
  context: Context,
  path: string,
): Promise<Pick<Part, 'sha256' | 'sizeBytes'>> => {
  try {
    const { size } = await stat(path);
    const hash = createHash('sha256');
    context.output.progress(`reading ${basename(path)} (${formatSizeBytes(BigInt(size))})`);
    for await (const part of createReadStream(path, { highWaterMark: PART_BYTES }))
      hash.update(part);
    return { sha256: hash.digest('hex'), sizeBytes: BigInt(size) };
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
};

const upload = async (context: Context, { name, source }: { name: string; source: Source }) => {
  const client = createClient(ImageService, context.transport());
  const { size } = await stat(source.from);
  const begun = context.clock.monotonicMs();
  const requests = async function* () {
    yield { content: { case: 'header' as const, value: { name, role: source.role } } };
    let sent = 0;
    for await (const data of createReadStream(source.from, { highWaterMark: PART_BYTES })) {
      yield { content: { case: 'data' as const, value: new Uint8Array(data) } };
      sent += data.length;
      const spentMs = context.clock.monotonicMs() - begun;
      const leftMs = sent > 0 ? (spentMs / sent) * (size - sent) : 0;
      const percent = Math.floor((sent / Math.max(1, size)) * 100);
      context.output.progress(
        `${basename(source.from)}  ${percent} %  ${formatSpanMs(leftMs)} left`,
      );
    }
  };
  await client.uploadImagePart(requests(), { timeoutMs: UPLOAD_LIMIT_MS, signal: context.signal });
};

/** Waits until the image is complete; a URL is fetched by the server. */
const finished = async (context: Context, name: string): Promise<undefined> => {
  const client = createClient(ImageService, context.transport());
  const endMs = context.clock.monotonicMs() + UPLOAD_LIMIT_MS;
  for (;;) {
    const image = (await client.getImage({ name }, callOptions(context))).image;
    if (!image) throw new Error('the answer holds no image');
    const state = image.status?.state;
    if (state === ImageState.IMPORT_FAILED) {
      throw new Error(`import failed: ${image.status?.problem?.message ?? 'no reason was given'}`);
    }
    if (state === ImageState.AVAILABLE) {
      showOne(context.output, imageNoun, {
        message: image,
        people: () => `imported ${image.name}`,
      });
      return undefined;
    }
    if (context.clock.monotonicMs() > endMs) throw new Error('the import did not end in an hour');
    context.output.progress(`fetching  ${formatSizeBytes(image.status?.receivedBytes ?? 0n)}`);
    await context.clock.sleep(500, context.signal);
  }
};
