import { accessOf, type HasValues, identityOf } from '../../runtime/context.ts';
import { type DomainError, invalidArgument, permissionDenied } from '../../runtime/errors.ts';
import type { Reader } from '../../store/sql/transaction.ts';
import { demandCovered, effectiveGrants, type Grant } from '../domain/grant.ts';
import { type User, userName } from '../domain/user.ts';
import { heldGrants, idOf } from './convert.ts';
import type { RpcDeps } from './deps.ts';

/**
 * The user that the caller is: itself, or the one that its certificate acts as. Undefined for our
 * own processes.
 */
export const callingUser = async (
  { records }: RpcDeps,
  reader: Reader,
  context: HasValues,
): Promise<User | undefined> => {
  const { kind, uid } = identityOf(context);
  if (kind === 'user') return records.users.find(reader, uid);
  if (kind !== 'app') return undefined;
  const certificate = await records.certificates.find(reader, uid);
  return certificate && records.users.find(reader, certificate.userUid);
};

type Credential = {
  /** "users/{user}"; empty = the caller's own. */
  readonly user: string;
  /** Empty = all that the user holds. */
  readonly limits: readonly Grant[];
};

/**
 * For whom a credential is made. Nobody gets more by it than he has: a caller whose own token is
 * limited makes only credentials within these limits, unless the permission is his on the whole
 * system. Errors: NOT_ALLOWED, INVALID_FIELD.
 */
export const userForCredential = async (
  deps: RpcDeps,
  reader: Reader,
  asked: Credential & { readonly context: HasValues },
): Promise<User> => {
  const { context, limits } = asked;
  const own = await callingUser(deps, reader, context);
  const mayForOthers = accessOf(context).everything;
  const user = await namedUser(deps, reader, { name: asked.user, own, mayForOthers });
  demandCovered(user.grants, limits, userName(user));
  if (!mayForOthers) {
    const wanted = effectiveGrants(user.grants, limits);
    demandCovered(heldGrants(identityOf(context).grants), wanted, 'The credential of this call');
  }
  return user;
};

type Named = {
  readonly name: string;
  readonly own: User | undefined;
  readonly mayForOthers: boolean;
};

const namedUser = async (
  { records }: RpcDeps,
  reader: Reader,
  { name, own, mayForOthers }: Named,
): Promise<User> => {
  if (name === '') {
    if (own !== undefined) return own;
    throw wrongUser('must be set: the caller is not a user');
  }
  const found = await records.users.find(reader, idOf('spec.user', 'users', name));
  if (found !== undefined && found.uid === own?.uid) return found;
  // Whether another user exists is not for everybody to know.
  if (!mayForOthers) {
    throw permissionDenied('NOT_ALLOWED', 'Only administrators make credentials for other users', {
      metadata: { user: name },
    });
  }
  if (found === undefined) throw wrongUser(`"${name}" does not exist`);
  return found;
};

const wrongUser = (why: string): DomainError =>
  invalidArgument('INVALID_FIELD', `spec.user ${why}`, {
    metadata: { field: 'spec.user' },
    violations: [{ field: 'spec.user', description: why }],
  });

/**
 * Of whom the caller may see and delete credentials: uid of a user, empty = of all. Undefined = of
 * nobody.
 */
export const ownerScope = async (
  deps: RpcDeps,
  reader: Reader,
  context: HasValues,
): Promise<string | undefined> => {
  if (accessOf(context).everything) return '';
  return (await callingUser(deps, reader, context))?.uid;
};
