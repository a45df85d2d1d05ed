import { create } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { ImageSchema } from '../../../gen/runmachine/machine/v1/image_pb.ts';
import {
  type CreateImageRequest,
  type CreateImageResponse,
  CreateImageResponseSchema,
  type DeleteImageRequest,
  type DeleteImageResponse,
  DeleteImageResponseSchema,
  ImageService,
  type ListImagesRequest,
} from '../../../gen/runmachine/machine/v1/image_service_pb.ts';
import { accessOf, requestKeyOf } from '../../runtime/context.ts';
import { failedPrecondition, invalidArgument } from '../../runtime/errors.ts';
import { isUid, namePattern } from '../../runtime/names.ts';
import { type Implementation, implement } from '../../runtime/service.ts';
import { checkEtag, etagOf } from '../../store/sql/page.ts';
import { checkParts, type Image, imageName } from '../domain/image.ts';
import { machineName } from '../domain/machine.ts';
import { audit, checkMayWrite, findVisibleImage, imagePattern } from './image-access.ts';
import { imageMessage, wishOf } from './image-message.ts';
import { uploadImagePart } from './image-upload.ts';
import { propertiesOf } from './machine-message.ts';
import { actorOf, cutPage, missing, pageFor, type RpcDeps } from './rpc-deps.ts';

export type ImageRpcDeps = RpcDeps & {
  /** There is something to fetch. */
  readonly fetchSoon: () => void;
};

const projectPattern = namePattern('projects/{project}');

export const imageRpc = (deps: ImageRpcDeps): Implementation => {
  const message = (image: Image) => imageMessage(image, deps.store.incarnation());
  return implement(ImageService, {
    getImage: async ({ name }, context) => ({
      image: message(await deps.store.read((r) => findVisibleImage(deps, r, { name, context }))),
    }),
    listImages: (request, context) => list(deps, request, context),
    createImage: (request, context) => createImage(deps, request, context),
    deleteImage: (request, context) => remove(deps, request, context),
    uploadImagePart: (requests, context) => uploadImagePart(deps, requests, context),
  });
};

const list = async (deps: RpcDeps, request: ListImagesRequest, context: HandlerContext) => {
  const page = pageFor(deps, request, {});
  const access = accessOf(context);
  const rows = await deps.store.read((reader) => deps.records.images.list(reader, access, page));
  const { messages, nextPageToken } = cutPage({
    page,
    rows,
    keyOf: (image) => [image.imageId.toLowerCase()],
    schema: ImageSchema,
    message: (image) => imageMessage(image, deps.store.incarnation()),
  });
  return { images: messages, nextPageToken };
};

const createImage = async (
  deps: ImageRpcDeps,
  request: CreateImageRequest,
  context: HandlerContext,
): Promise<CreateImageResponse> => {
  const image = newImage(deps, request);
  checkMayWrite(image.project, context);
  checkParts(image.format, image.parts);
  const answer = () =>
    create(CreateImageResponseSchema, { image: imageMessage(image, deps.store.incarnation()) });
  if (request.validateOnly) return answer();
  const key = requestKeyOf(context, CreateImageResponseSchema);
  const response = await deps.store.transaction(key, actorOf(context), async (tx) => {
    await deps.records.images.insert(tx, image);
    audit(tx, 'image.create', image);
    return answer();
  });
  if (image.parts.some((part) => part.url !== '')) deps.fetchSoon();
  return response;
};

const newImage = ({ random, clock }: RpcDeps, request: CreateImageRequest): Image => {
  const { projectName, ...wish } = wishOf(request.image?.spec);
  const project = projectName === '' ? '' : projectPattern.parse(projectName)?.project;
  if (project === undefined) throw badField('image.spec.project', 'must be "projects/{project}"');
  if (isUid(request.imageId)) throw badField('image_id', 'must not look like a uid');
  const nowMs = clock.now().getTime();
  return {
    ...wish,
    uid: random.uid(),
    version: 1,
    imageId: request.imageId,
    generation: 1,
    createMs: nowMs,
    updateMs: nowMs,
    properties: propertiesOf(request.image?.properties ?? {}),
    tags: request.image?.tags ?? [],
    project,
    state: 'importing',
    problem: null,
  };
};

const remove = async (
  deps: RpcDeps,
  request: DeleteImageRequest,
  context: HandlerContext,
): Promise<DeleteImageResponse> => {
  const key = requestKeyOf(context, DeleteImageResponseSchema);
  const done = create(DeleteImageResponseSchema);
  return deps.store.transaction(key, actorOf(context), async (tx) => {
    const { name } = request;
    const found = await deps.records.images.find(tx, imagePattern.parse(name)?.image ?? '');
    if (found === undefined && request.allowMissing && !accessOf(context).nowhere) return done;
    const { uid } = await findVisibleImage(deps, tx, { name, context });
    // Locked before machines are looked for: a machine that is being created holds the same row.
    const image = await deps.records.images.lock(tx, uid);
    if (image === undefined) throw missing(name, 'runm.image');
    checkMayWrite(image.project, context);
    const before = { uid, version: image.version - 1 };
    checkEtag(request.etag, etagOf(before, deps.store.incarnation()));
    const user = await deps.records.machines.usingImage(tx, uid);
    if (user !== undefined) throw inUse(image, machineName(user));
    await deps.records.images.remove(tx, image);
    audit(tx, 'image.delete', image);
    return done;
  });
};

const inUse = (image: Image, machine: string) =>
  failedPrecondition(
    'IN_USE',
    `Cannot delete "${imageName(image)}": the machine "${machine}" boots from it`,
    { metadata: { name: imageName(image), machine } },
  );

const badField = (field: string, description: string) =>
  invalidArgument('INVALID_FIELD', `${field}: ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });
