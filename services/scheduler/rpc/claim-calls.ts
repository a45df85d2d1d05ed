/** What the handlers of claims have in common: names, the way to the leader, what is shown. */
import type { DescField, DescMessage, MessageShape } from '@bufbuild/protobuf';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { HandlerContext } from '@connectrpc/connect';
import { accessFor } from '../../runtime/access.ts';
import { callOf } from '../../runtime/context.ts';
import { type DomainError, permissionDenied } from '../../runtime/errors.ts';
import { encodedAnswer } from '../../runtime/rpc/encoded-answer.ts';
import type { Granted, PartitionView } from '../ports.ts';
import { writeClaim } from './claim-bytes.ts';
import { CLAIM_NAME, claimNotFound, viewOf } from './claims-read.ts';
import type { RpcDeps } from './deps.ts';
import { toLeader, type Ways } from './to-leader.ts';

export const atLeader = <T>(
  deps: RpcDeps,
  context: HandlerContext,
  { partition }: PartitionView,
  ways: Ways<T>,
): Promise<T> => toLeader(deps, context, { partition, ways });

/** An answer that says nothing but what became of a claim. */
type ClaimAnswer = DescMessage & { readonly field: { readonly claim: DescField } };

export type Answering = { readonly deps: RpcDeps; readonly view: PartitionView };

type Shown = Answering & { readonly granted: Granted };

export const claimAnswer = <D extends ClaimAnswer>(
  desc: D,
  { deps, view, granted }: Shown,
): MessageShape<D> => {
  const writer = new BinaryWriter();
  writeGranted(writer, desc.field.claim, { deps, view, granted });
  return encodedAnswer(desc, writer.finish());
};

/** Writes the claim as that field of a message. */
export const writeGranted = (
  to: BinaryWriter,
  field: DescField,
  { deps, view, granted }: Shown,
): void => {
  if (granted.kind !== 'claim') return;
  const { claim, revision } = granted;
  const incarnation = deps.incarnation();
  writeClaim(to, field, { claim, shown: { view, incarnation, revision } });
};

/** The parts of a claim's name, within what the caller may see. */
export const named = async (deps: RpcDeps, name: string, context: HandlerContext) => {
  const parsed = CLAIM_NAME.parse(name);
  const { access, signal } = callOf(context);
  if (parsed === undefined || !access.covers(parsed)) throw claimNotFound(name);
  const view = await viewOf(deps, parsed.partition, signal);
  return { view, project: parsed.project, claim: parsed.claim };
};

/** What only our own services may do, whatever permissions a person holds. */
export const assertService = (context: HandlerContext): void => {
  if (callOf(context).identity.kind !== 'service') throw notAllowed(context);
};

/**
 * True for those who may do everything with claims in all projects of the partition: it takes a
 * permission that is of no use within one project.
 */
export const runsPartition = (context: HandlerContext, partition: string): boolean =>
  accessFor(callOf(context).identity, 'claim.finish').covers({ partition });

/** Errors: permission_denied for whoever holds the method's permission in a project only. */
export const assertRunsPartition = (context: HandlerContext, partition: string): void => {
  if (!callOf(context).access.covers({ partition })) {
    const { identity, access } = callOf(context);
    throw permissionDenied(
      'NOT_ALLOWED',
      `${identity.principal} does not hold ${access.permission} in the whole partition`,
      { metadata: { permission: access.permission, principal: identity.principal } },
    );
  }
};

const notAllowed = (context: HandlerContext): DomainError => {
  const { identity, access } = callOf(context);
  return permissionDenied(
    'NOT_ALLOWED',
    `${identity.principal} may not do this; it is done by services of runmachine`,
    { metadata: { permission: access.permission, principal: identity.principal } },
  );
};
