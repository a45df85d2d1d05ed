import { failedPrecondition } from '../../runtime/errors.ts';
import { type Grant, isSameGrant } from './grant.ts';
import type { RecordHead } from './record.ts';
import { ADMIN } from './role.ts';

export type User = RecordHead & {
  readonly displayName: string;
  readonly grants: readonly Grant[];
};

export const userName = ({ id }: { readonly id: string }): string => `users/${id}`;

/** The grant that an installation must never be without. */
export const SYSTEM_ADMIN: Grant = { role: ADMIN, partition: '', project: '' };

export const isSystemAdmin = (grants: readonly Grant[]): boolean =>
  grants.some((grant) => isSameGrant(grant, SYSTEM_ADMIN));

/** `others`: how many other users are administrators of the system. */
export const demandAnotherAdmin = (user: User, others: number): void => {
  if (others > 0) return;
  throw failedPrecondition(
    'LAST_ADMIN',
    `${userName(user)} is the last administrator of the system; give roles/admin to another first`,
    { metadata: { user: userName(user) } },
  );
};
