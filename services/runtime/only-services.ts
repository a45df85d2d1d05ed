import { accessOf, callOf, type HasValues } from './context.ts';
import { permissionDenied } from './errors.ts';

/**
 * For what only our services do, and only when they speak for themselves: whoever holds every
 * permission still may not, and no service is talked into it by its caller. Errors:
 * permission_denied NOT_ALLOWED.
 */
export const demandService = (context: HasValues, what: string): void => {
  const { identity } = callOf(context);
  if (identity.kind === 'service') return;
  const { permission } = accessOf(context);
  throw permissionDenied('NOT_ALLOWED', `${what} by our services only`, {
    metadata: { permission, principal: identity.principal },
  });
};
