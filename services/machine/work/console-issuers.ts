/**
 * What those who made console tokens may still do. Asked for every piece that is typed and every
 * look at an open console, so an answer is kept for seconds and asked for once.
 */
import { accessFor } from '../../runtime/access.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Identity } from '../../runtime/identity.ts';
import type { ConsoleIssuers } from '../console-ports.ts';
import type { IdentityPort } from '../neighbours-port.ts';

type Deps = {
  readonly clock: Clock;
  readonly identity: Pick<IdentityPort, 'findPrincipal'>;
};

/** Of IssueConsoleToken: whoever could not make the token now has made none. */
const PERMISSION = 'machine.console';
const KEPT_MS = 2_000;
const KEPT_MAX = 1_000;
const CALL_MS = 5_000;

type Kept = { readonly untilMs: number; readonly identity: Promise<Identity | undefined> };

export const createConsoleIssuers = ({ clock, identity }: Deps): ConsoleIssuers => {
  const kept = new Map<string, Kept>();
  const find = (principal: string): Promise<Identity | undefined> => {
    const known = kept.get(principal);
    const nowMs = clock.monotonicMs();
    if (known !== undefined && known.untilMs > nowMs) return known.identity;
    const asked = identity.findPrincipal(principal, AbortSignal.timeout(CALL_MS));
    kept.delete(principal);
    kept.set(principal, { untilMs: nowMs + KEPT_MS, identity: asked });
    asked.catch(() => kept.delete(principal));
    const oldest = kept.keys().next().value;
    if (kept.size > KEPT_MAX && oldest !== undefined) kept.delete(oldest);
    return asked;
  };
  return {
    mayOpen: async (principal, place) => {
      const found = await find(principal);
      return found !== undefined && accessFor(found, PERMISSION).covers(place);
    },
  };
};
