/** Who may see and change which image. */
import type { HandlerContext } from '@connectrpc/connect';
import { accessFor } from '../../runtime/access.ts';
import { accessOf, callOf } from '../../runtime/context.ts';
import { permissionDenied } from '../../runtime/errors.ts';
import { namePattern } from '../../runtime/names.ts';
import type { Reader, Tx } from '../../store/sql/transaction.ts';
import { type Image, imageName } from '../domain/image.ts';
import { missing, type RpcDeps } from './rpc-deps.ts';

export const imagePattern = namePattern('images/{image}');
/** Who may make and delete what all projects see. */
const SHARE = 'image.share';

type Named = { readonly name: string; readonly context: HandlerContext };

/** Shared ones are everybody's to see. Errors: not_found. */
export const findVisibleImage = async (
  { records }: RpcDeps,
  reader: Reader,
  { name, context }: Named,
): Promise<Image> => {
  const id = imagePattern.parse(name)?.image;
  const image = id === undefined ? undefined : await records.images.find(reader, id);
  // Who may read any image sees the shared ones too; a private one needs its project.
  const isShared = image?.project === '' && !accessOf(context).nowhere;
  const isIts = image !== undefined && (isShared || coversProject(context, image.project));
  if (!isIts) throw missing(name, 'runm.image');
  return image;
};

/** An image belongs to a project in all partitions, so a grant within one partition is enough. */
const coversProject = (context: HandlerContext, project: string): boolean => {
  const access = accessOf(context);
  return (
    access.covers({ project }) ||
    access.pairs.some((pair) => pair.project.toLowerCase() === project.toLowerCase())
  );
};

/**
 * Errors: permission_denied for a shared image, not_found for a project that the caller does not
 * hold.
 */
export const checkMayWrite = (project: string, context: HandlerContext): void => {
  if (project !== '') {
    if (coversProject(context, project)) return;
    throw missing(`projects/${project}`, 'runm.project');
  }
  const { identity } = callOf(context);
  if (accessFor(identity, SHARE).everything) return;
  throw permissionDenied(
    'NOT_ALLOWED',
    `${identity.principal} does not hold "${SHARE}", which a shared image needs; set spec.project`,
    { metadata: { permission: SHARE, principal: identity.principal } },
  );
};

export const audit = (tx: Tx, action: string, image: Image): void =>
  tx.audit({
    action,
    objectKind: 'image',
    objectUid: image.uid,
    objectName: imageName(image),
    ...(image.project !== '' && { projectUid: image.project }),
    after: {
      format: image.format,
      parts: image.parts.map(({ role, sha256 }) => ({ role, sha256 })),
    },
  });
