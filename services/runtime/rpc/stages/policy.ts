/**
 * Who may call what, from the method's policy option. A named partition or project that the caller
 * has no grant on is NOT_FOUND, so that names cannot be probed; one that he sees without holding
 * the permission is PERMISSION_DENIED. A request that names no place (a uid, a wildcard, a list
 * over everything) passes when the permission is held anywhere, and the handler constrains by
 * `access`; a handler that never looks at it fails closed in `answered`.
 */
import type { Message } from '@bufbuild/protobuf';
import { type Policy, Scope } from '../../../../gen/runmachine/common/v1/policy_pb.ts';
import { type Access, accessFor, type Place, sees } from '../../access.ts';
import { internal, notFound, permissionDenied, unauthenticated } from '../../errors.ts';
import { ANY, placeOf } from '../../names.ts';
import type { CallState } from '../call-state.ts';
import type { Stage } from './stage.ts';

export const policyStage = (): Stage => {
  const begin = (call: CallState): undefined => {
    const policy = policyOf(call);
    if (policy.scope === Scope.ANONYMOUS) return undefined;
    if (call.identity.kind === 'anonymous') throw noCredentials();
    if (policy.scope === Scope.OWN) return undefined;
    const access = accessFor(call.identity, policy.permission);
    if (access.nowhere) {
      // Who holds the permission nowhere learns from a named place only what he could see anyway:
      // see `request`.
      if (policy.scope === Scope.SYSTEM || policy.scope === Scope.ANY) {
        throw notAllowed(call, policy);
      }
    } else if (policy.scope === Scope.SYSTEM && !access.everything) {
      throw notAllowed(call, policy);
    }
    return undefined;
  };
  const request = (call: CallState, message: Message, isFirst: boolean): void => {
    const policy = policyOf(call);
    if (!isFirst || !isPlaced(policy.scope)) return;
    call.names = call.facts.namesIn(message);
    const access = accessFor(call.identity, policy.permission);
    if (access.everything) return;
    const covered = call.names.map((name) => isCovered(call, { policy, access, name }));
    if (covered.length > 0 && covered.every(Boolean)) return;
    if (access.nowhere) throw notAllowed(call, policy);
    call.unplaced = true;
  };
  const recheck = (call: CallState): undefined => {
    begin(call);
    const policy = policyOf(call);
    if (!isPlaced(policy.scope)) return undefined;
    const access = accessFor(call.identity, policy.permission);
    if (access.nowhere) throw notAllowed(call, policy);
    for (const name of call.names) isCovered(call, { policy, access, name });
    return undefined;
  };
  return { name: 'policy', begin, request, recheck };
};

/**
 * After the handler: one that served an unplaced request without looking at the caller's access has
 * a hole.
 */
export const assertAccessWasRead = (call: CallState): void => {
  if (!call.unplaced || call.accessWasRead) return;
  throw internal(
    'INTERNAL',
    `${call.method} answered a request without a place and never looked at the caller's access`,
  );
};

const isPlaced = (scope: Scope): boolean =>
  scope === Scope.PROJECT || scope === Scope.PARTITION || scope === Scope.ANY;

const policyOf = (call: CallState): Policy => {
  const { policy } = call.facts;
  if (policy !== undefined && policy.scope !== Scope.UNSPECIFIED) return policy;
  throw permissionDenied('NO_POLICY', `${call.method} has no policy in its contract`, {
    metadata: { method: call.method },
  });
};

type Demand = { readonly policy: Policy; readonly access: Access; readonly name: string };

/**
 * Whether the grants cover the named place whole; false: in part, the handler narrows. Throws when
 * not at all.
 */
const isCovered = (call: CallState, { policy, access, name }: Demand): boolean => {
  const place = placeOf(name);
  if (place.partition === undefined && place.project === undefined) return false;
  if (access.covers(place)) return true;
  if (policy.scope !== Scope.PARTITION && overlaps(access, name, place)) return false;
  if (sees(call.identity, place)) throw notAllowed(call, policy);
  throw notFound('NOT_FOUND', `"${name}" does not exist or is not visible to you`, {
    metadata: { name },
  });
};

/**
 * Whether something below a place that is left open ("partitions/p", "partitions/-/projects/q") is
 * covered.
 */
const overlaps = (access: Access, name: string, place: Place): boolean => {
  const { partition, project } = place;
  if (project === undefined) {
    return access.projects.size > 0 || access.pairs.some((pair) => same(pair.partition, partition));
  }
  if (!name.startsWith(`partitions/${ANY}/`)) return false;
  return access.partitions.size > 0 || access.pairs.some((pair) => same(pair.project, project));
};

const same = (held: string, asked: string | undefined): boolean =>
  held.toLowerCase() === asked?.toLowerCase();

const noCredentials = () =>
  unauthenticated(
    'NO_CREDENTIALS',
    'The call carries no credentials: send "authorization: Bearer <token>" or use a client certificate',
  );

const notAllowed = (call: CallState, policy: Policy) =>
  permissionDenied(
    'NOT_ALLOWED',
    `${call.identity.principal} does not hold "${policy.permission}" there`,
    { metadata: { permission: policy.permission, principal: call.identity.principal } },
  );
