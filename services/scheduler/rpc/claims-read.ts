/**
 * What GetClaim, ListClaims and WatchClaims have in common: finding records within a parent and the
 * caller's access.
 */
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { Access } from '../../runtime/access.ts';
import { type DomainError, notFound } from '../../runtime/errors.ts';
import { isWildcard, namePattern } from '../../runtime/names.ts';
import { type ClaimRecord, keyOf } from '../domain/claim.ts';
import { orderKey } from '../domain/claim-book.ts';
import type { PartitionView } from '../ports.ts';
import { claimMessage } from './claim-message.ts';
import { invalidField } from './claim-request.ts';
import type { RpcDeps } from './deps.ts';

export const CLAIM_NAME = namePattern('partitions/{partition}/projects/{project}/claims/{claim}');
const PARENT_NAME = namePattern('partitions/{partition}/projects/{project}');

export type Parent = { readonly partition: string; readonly project: string };

export const parentOf = (parent: string): Parent => {
  const parsed = PARENT_NAME.parse(parent);
  if (parsed === undefined) throw invalidField('parent', `"${parent}" is no name of a project`);
  return parsed;
};

/** A record with the partition that it lies in. */
export type Found = { readonly view: PartitionView; readonly claim: ClaimRecord };

/**
 * Views of the partitions below the parent. Errors: not_found for a partition that does not exist.
 */
export const viewsOf = async (
  { reading }: RpcDeps,
  parent: Parent,
  signal: AbortSignal,
): Promise<readonly PartitionView[]> => {
  await reading.untilReady(signal);
  if (isWildcard(parent.partition)) return reading.partitions();
  return [await viewOf({ reading }, parent.partition, signal)];
};

export const viewOf = async (
  { reading }: Pick<RpcDeps, 'reading'>,
  partition: string,
  signal: AbortSignal,
): Promise<PartitionView> => {
  await reading.untilReady(signal);
  const view = await reading.find(partition, signal);
  if (view !== undefined) return view;
  const name = `partitions/${partition}`;
  throw notFound('NOT_FOUND', `The partition "${name}" does not exist`, {
    metadata: { name, type: 'runm.partition' },
  });
};

/** Where a page goes on; absent = at the first. */
export type After = readonly string[] | undefined;

/** Claims below the parent that the caller may see, in their order. */
export function* claimsBelow(
  views: readonly PartitionView[],
  { project, access, after }: { project: string; access: Access; after: After },
): Generator<Found> {
  for (const view of views) {
    const partition = keyOf(view.partition);
    if (after !== undefined && partition < (after[0] ?? '')) continue;
    for (const key of projectsOf(view, project)) {
      const isPast = after !== undefined && compareKeys([partition, key], after.slice(0, 2)) < 0;
      if (isPast || !access.covers({ partition: view.partition, project: key })) continue;
      const isSame = after !== undefined && partition === after[0] && key === after[1];
      for (const claim of view.claims.ofProject(key, isSame ? after[2] : undefined)) {
        if (after === undefined || compareKeys(orderKey(claim), after) > 0) yield { view, claim };
      }
    }
  }
}

/** Whether a claim lies below the parent, which may have wildcards. */
export const isBelow = ({ partition, project }: Parent, claim: Parent): boolean =>
  (isWildcard(partition) || keyOf(partition) === keyOf(claim.partition)) &&
  (isWildcard(project) || keyOf(project) === keyOf(claim.project));

const projectsOf = (view: PartitionView, project: string): readonly string[] =>
  isWildcard(project) ? [...view.claims.projects()].sort() : [keyOf(project)];

/** The order of keys of one list; what one key has more than the other stands behind it. */
export const compareKeys = (
  a: readonly (string | number)[],
  b: readonly (string | number)[],
): number => {
  for (const [at, one] of a.entries()) {
    const other = b[at] ?? '';
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
};

export const messageOf = (
  { incarnation }: Pick<RpcDeps, 'incarnation'>,
  { view, claim }: Found,
): Claim =>
  claimMessage(claim, {
    view,
    incarnation: incarnation(),
    revision: view.revisionOf(claim.uid),
  });

/** By name or uid within the project that the name says. */
export const findIn = (
  view: PartitionView,
  project: string,
  claim: string,
): ClaimRecord | undefined => {
  const byUid = view.claims.get(keyOf(claim));
  return byUid !== undefined && keyOf(byUid.project) === keyOf(project)
    ? byUid
    : view.claims.findByName(project, claim);
};

export const claimNotFound = (name: string): DomainError =>
  notFound('NOT_FOUND', `The claim "${name}" does not exist`, {
    metadata: { name, type: 'runm.claim' },
  });
