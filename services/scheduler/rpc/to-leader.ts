/**
 * Brings a call to the leader of its partition: to this replica when it leads, else to the leader's
 * address, once. A change of leaders is waited for a short time; the request id makes every repeat
 * harmless.
 */
import type { CallOptions, HandlerContext, Transport } from '@connectrpc/connect';
import { OVER } from '../../runtime/clock.ts';
import { callOf } from '../../runtime/context.ts';
import { type DomainError, isDomainError, unavailable } from '../../runtime/errors.ts';
import { asDomain } from '../../runtime/rpc/error-reading.ts';
import { forCaller } from '../../runtime/rpc/outgoing.ts';
import { slept } from '../../store/coordination/waiting.ts';
import type { LocalLeader } from '../ports.ts';
import type { RpcDeps } from './deps.ts';
import { isRelayed, originOf, RELAYED_FOR } from './origin.ts';

export type Ways<T> = {
  /** The call, decided here. The signal ends a little before the caller's deadline. */
  readonly local: (leader: LocalLeader, signal: AbortSignal) => Promise<T>;
  /** The same call at another replica. */
  readonly remote: (transport: Transport, options: CallOptions) => Promise<T>;
};

const LOOK_AGAIN_MS = 50;
/** Left of the caller's deadline for our answer, so that he learns more than that it passed. */
const MARGIN_MS = 150;
/** What a leader that is no more, or not yet, answers. */
const AGAIN: readonly string[] = ['NOT_LEADER', 'NO_LEADER', 'SERVICE_UNAVAILABLE', 'DRAINING'];

export const toLeader = async <T>(
  deps: RpcDeps,
  context: HandlerContext,
  { partition, ways }: { readonly partition: string; readonly ways: Ways<T> },
): Promise<T> => {
  const { clock, leaders, connect } = deps;
  const endMs = clock.monotonicMs() + deps.leaderWaitMs;
  const { signal } = callOf(context);
  let last: DomainError | undefined;
  for (;;) {
    const local = leaders.local(partition);
    const address = isRelayed(context) ? undefined : leaders.addressOf(partition);
    try {
      if (local !== undefined) return await atHome(deps, context, { local, ways });
      if (address !== undefined) {
        const transport = connect.transportToAddress(address);
        return await asDomain(ways.remote(transport, relayed(context)));
      }
    } catch (error) {
      if (!isDomainError(error, 'unavailable') || !AGAIN.includes(error.reason)) throw error;
      // The leader misses another service: waiting for another leader does not help.
      if (error.metadata.service !== undefined) throw error;
      last = error;
    }
    if (clock.monotonicMs() >= endMs || !(await slept(clock, LOOK_AGAIN_MS, signal))) {
      throw noLeader(partition, last);
    }
  }
};

const atHome = async <T>(
  { clock }: RpcDeps,
  context: HandlerContext,
  { local, ways }: { readonly local: LocalLeader; readonly ways: Ways<T> },
): Promise<T> => {
  const call = callOf(context);
  const leftMs = call.remainingMs();
  const limit = new AbortController();
  const onAbort = () => limit.abort(call.signal.reason);
  if (call.signal.aborted) onAbort();
  call.signal.addEventListener('abort', onAbort, { once: true });
  if (leftMs !== undefined) {
    clock.sleep(Math.max(0, leftMs - MARGIN_MS), limit.signal).then(
      () => limit.abort(tooLate()),
      () => undefined,
    );
  }
  try {
    return await ways.local(local, limit.signal);
  } finally {
    call.signal.removeEventListener('abort', onAbort);
    // Its timer goes with it.
    limit.abort(OVER);
  }
};

/** In the caller's name; a service's own name goes along in a header. */
const relayed = (context: HandlerContext): CallOptions => {
  const options = forCaller(context);
  const headers = new Headers(options.headers);
  headers.set(RELAYED_FOR, originOf(context).principal);
  return { ...options, headers };
};

const tooLate = () =>
  unavailable('BUSY', 'The leader was too busy to decide before the deadline; nothing was done', {
    retryAfterMs: 500,
  });

const noLeader = (partition: string, cause: DomainError | undefined) =>
  unavailable('NO_LEADER', `No scheduler leads partition "${partition}" now`, {
    metadata: { partition },
    retryAfterMs: 1000,
    ...(cause !== undefined && { cause }),
  });
