import type { ExecutionContext } from 'ava';
import type { DomainError, ErrorKind } from '../../services/runtime/errors.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { domainErrorOf } from '../../services/runtime/rpc/error-reading.ts';

/** Expects the call to fail with that kind and reason, and gives the error. */
export const refused = async (
  t: ExecutionContext,
  call: Promise<unknown>,
  expected: { readonly kind: ErrorKind; readonly reason: string },
): Promise<DomainError> => {
  const thrown = await t.throwsAsync(call);
  const error = domainErrorOf(thrown);
  t.true(
    isDomainError(error, expected.kind, expected.reason),
    `expected ${expected.kind} ${expected.reason}, got ${error?.kind} ${error?.reason}: ${String(thrown)}`,
  );
  if (error === undefined)
    throw new Error('The call failed with something else', { cause: thrown });
  return error;
};
