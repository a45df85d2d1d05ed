/**
 * UploadImagePart: a header, then the bytes. They count when all are here and the digest is right.
 */
import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import {
  type UploadHeader,
  type UploadImagePartRequest,
  type UploadImagePartResponse,
  UploadImagePartResponseSchema,
} from '../../../gen/runmachine/machine/v1/image_service_pb.ts';
import { failedPrecondition, invalidArgument } from '../../runtime/errors.ts';
import { writeArtifact } from '../artifact-writer.ts';
import { type Image, type ImagePart, imageName, withPart } from '../domain/image.ts';
import { audit, checkMayWrite, findVisibleImage } from './image-access.ts';
import { imageMessage, roleOf } from './image-message.ts';
import { actorOf, missing, type RpcDeps } from './rpc-deps.ts';

export const uploadImagePart = async (
  deps: RpcDeps,
  requests: AsyncIterable<UploadImagePartRequest>,
  context: HandlerContext,
): Promise<UploadImagePartResponse> => {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const opening = first.done === true ? undefined : first.value.content;
  if (opening?.case !== 'header') throw wrongOrder('the first message must be the header');
  const { image, part } = await findPart(deps, opening.value, context);
  const actor = actorOf(context);
  const { sha256, sizeBytes, role } = part;
  const source = bytesOf(iterator);
  const artifact = await writeArtifact(deps, { sha256, sizeBytes, source, actor });
  const after = await deps.store.transaction(undefined, actor, async (tx) => {
    const locked = await deps.records.images.lock(tx, image.uid);
    if (locked === undefined) throw missing(imageName(image), 'runm.image');
    await deps.records.artifacts.complete(tx, artifact);
    const whole = withPart(locked, role, artifact.sizeBytes);
    await deps.records.images.save(tx, { ...whole, updateMs: deps.clock.now().getTime() });
    audit(tx, 'image.upload', whole);
    return whole;
  });
  return create(UploadImagePartResponseSchema, {
    image: imageMessage(after, deps.store.incarnation()),
  });
};

type Found = { readonly image: Image; readonly part: ImagePart };

const findPart = async (
  deps: RpcDeps,
  header: UploadHeader,
  context: HandlerContext,
): Promise<Found> => {
  const { name } = header;
  const image = await deps.store.read((r) => findVisibleImage(deps, r, { name, context }));
  checkMayWrite(image.project, context);
  const role = roleOf(header.role);
  const part = image.parts.find((one) => one.role === role);
  if (part === undefined) {
    const roles = image.parts.map((one) => one.role.toUpperCase()).join(', ');
    throw invalidArgument('INVALID_FIELD', `header.role: the parts of "${name}" are ${roles}`, {
      metadata: { field: 'header.role', roles },
      violations: [{ field: 'header.role', description: `must be one of ${roles}` }],
    });
  }
  if (part.complete || part.url !== '') {
    const why = part.complete ? 'is here already' : 'is fetched from its URL';
    throw failedPrecondition('INVALID_STATE', `The part ${part.role} of "${name}" ${why}`, {
      invalidState: { state: image.state.toUpperCase(), allowed: ['IMPORTING'] },
      metadata: { name },
    });
  }
  return { image, part };
};

async function* bytesOf(
  iterator: AsyncIterator<UploadImagePartRequest>,
): AsyncGenerator<Uint8Array> {
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    const { content } = next.value;
    if (content.case !== 'data') throw wrongOrder('only data may follow the header');
    yield content.value;
  }
}

const wrongOrder = (description: string) =>
  invalidArgument('INVALID_FIELD', `content: ${description}`, {
    metadata: { field: 'content' },
    violations: [{ field: 'content', description }],
  });
