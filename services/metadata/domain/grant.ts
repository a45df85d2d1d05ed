import { invalidArgument, permissionDenied } from '../../runtime/errors.ts';
import { findRole, type Role } from './role.ts';

/**
 * A role held somewhere; empty partition or project = not limited by it. Ids, not resource names.
 */
export type Grant = { readonly role: string; readonly partition: string; readonly project: string };

const fold = (id: string): string => id.toLowerCase();

export const isSameGrant = (a: Grant, b: Grant): boolean =>
  fold(a.role) === fold(b.role) &&
  fold(a.partition) === fold(b.partition) &&
  fold(a.project) === fold(b.project);

const reaches = (held: string, asked: string): boolean => held === '' || fold(held) === fold(asked);

/** Whether who holds `held` also holds `asked`: the same role, there or in a part of there. */
export const grantCovers = (held: Grant, asked: Grant): boolean =>
  fold(held.role) === fold(asked.role) &&
  reaches(held.partition, asked.partition) &&
  reaches(held.project, asked.project);

/**
 * What a credential limited to `limits` may do now. A limit that the user no longer holds gives
 * nothing; no limits = all that the user holds.
 */
export const effectiveGrants = (
  held: readonly Grant[],
  limits: readonly Grant[],
): readonly Grant[] =>
  limits.length === 0
    ? held
    : limits.filter((limit) => held.some((one) => grantCovers(one, limit)));

/** The role of a grant for people. Errors: invalid_argument INVALID_FIELD naming the role. */
export const grantableRole = (grant: Grant): Role => {
  const role = findRole(grant.role);
  if (role?.grantable === true) return role;
  const why = role === undefined ? 'does not exist' : 'is only for our own processes';
  throw invalidArgument('INVALID_FIELD', `The role "roles/${grant.role}" ${why}`, {
    metadata: { field: 'grant.role', role: grant.role },
    violations: [{ field: 'grant.role', description: why }],
  });
};

export const describeGrant = ({ role, partition, project }: Grant): string =>
  [
    `roles/${role}`,
    partition === '' ? '' : `on partitions/${partition}`,
    project === '' ? '' : `in projects/${project}`,
  ]
    .filter((part) => part !== '')
    .join(' ');

/** Errors: permission_denied NOT_ALLOWED naming the first of `asked` that none of `held` covers. */
export const demandCovered = (
  held: readonly Grant[],
  asked: readonly Grant[],
  whose: string,
): void => {
  const missing = asked.find((one) => !held.some((grant) => grantCovers(grant, one)));
  if (missing === undefined) return;
  throw permissionDenied('NOT_ALLOWED', `${whose} does not hold ${describeGrant(missing)}`, {
    metadata: { grant: describeGrant(missing), principal: whose },
  });
};
