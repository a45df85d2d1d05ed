import { failedPrecondition } from '../../runtime/errors.ts';
import { type AccountAspect, type BmcCredentials, BmcError } from '../bmc-port.ts';
import type { BmcAccess } from './bmc-access.ts';
import type { BmcSessions } from './bmc-sessions.ts';
import type { ControllerRef } from './controller-ref.ts';
import type { Credentials } from './credentials.ts';

type Deps = { readonly sessions: BmcSessions; readonly credentials: Credentials };
type Setting = {
  readonly ref: ControllerRef;
  readonly access: BmcAccess;
  readonly signal: AbortSignal;
};

/**
 * Sets the password of the secret's user to the staged one and signs in with it. It begins with a
 * new sign-in, which finds out which of the two the controller has: so it may be repeated after a
 * crash anywhere, and one that has the staged password already is left as it is.
 */
export const rotate = async (deps: Deps, { ref, access, signal }: Setting): Promise<void> => {
  const values = await deps.credentials.read(ref.secret, { isFresh: true, signal });
  const { staged, present } = values;
  if (staged === undefined) {
    throw failedPrecondition(
      'INVALID_STATE',
      `No values are staged in the secret "${ref.secret}"; stage the new password first`,
      { metadata: { name: ref.secret } },
    );
  }
  if (staged.user !== present.user) {
    throw failedPrecondition(
      'INVALID_FIELD',
      `The secret "${ref.secret}" stages another user; a rotation changes only the password`,
      { metadata: { name: ref.secret } },
    );
  }
  await deps.sessions.drop(ref);
  const { verbs, driver } = await access.aspect('accounts');
  if ((await access.session(driver)).which === 'staged') return;
  const failure = await put(verbs, staged, signal);
  access.release();
  // Whoever was signed in stays so: only a new session shows which password counts.
  await deps.sessions.drop(ref);
  await verify(deps, { ref, access, signal }, failure);
};

/**
 * Many controllers end all sessions of an account whose password changes, so that even reading back
 * fails; then the sign-in that follows tells what came of it.
 */
const put = async (
  verbs: AccountAspect,
  staged: BmcCredentials,
  signal: AbortSignal,
): Promise<BmcError | undefined> => {
  try {
    await verbs.put(staged, signal);
    return undefined;
  } catch (error) {
    const isNo =
      !(error instanceof BmcError) || ['refused', 'unsupported', 'busy'].includes(error.fault);
    if (isNo) throw error;
    return error;
  }
};

const verify = async (
  deps: Deps,
  { ref, access, signal }: Setting,
  failure: BmcError | undefined,
): Promise<void> => {
  const [driver] = access.drivers;
  if (driver === undefined) return;
  // The record says that the present values work, so they would be tried first, in vain.
  const values = await deps.credentials.read(ref.secret, { isFresh: false, signal });
  deps.credentials.worked(ref, values, 'staged');
  const opened = await access.aspect('accounts');
  if ((await access.session(opened.driver)).which === 'staged') return;
  if (failure) throw failure;
  throw new BmcError(
    'not_applied',
    `The BMC of "${ref.provider}" took the new password of "${values.present.user}" and still ` +
      'signs in with the old one only; the staged values stay beside the present ones',
  );
};
