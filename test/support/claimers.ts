/**
 * Callers that repeat a command until they know its outcome, and a checker that looks at the store
 * from outside.
 */
import type { Clock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import type { Random } from '../../services/runtime/random.ts';
import type { ClaimRecord } from '../../services/scheduler/domain/claim.ts';
import type { Command } from '../../services/scheduler/domain/command.ts';
import { holdsOf } from '../../services/scheduler/domain/hold.ts';
import { decodeClaim, decodeHead } from '../../services/scheduler/domain/record-format.ts';
import type { Coordination } from '../../services/store/coordination/port.ts';
import { claimOf, type Replica } from './scheduler-replica.ts';

const CPU = 'runm.cpu.shared';

export type OutsideOptions = {
  /** What every provider has. */
  readonly cpus: number;
  readonly signal: AbortSignal;
};

/**
 * Every commit as the store holds it: no provider above its inventory, numbers without a gap, time
 * forward.
 */
export const watchClaimsFromOutside = (store: Coordination, { cpus, signal }: OutsideOptions) => {
  const claims = new Map<string, ClaimRecord>();
  const problems: string[] = [];
  let number = 0;
  let elections = 0;
  let nowMs = 0;
  let mostUsed = 0;
  const check = (): void => {
    const used = new Map<string, number>();
    for (const claim of claims.values()) {
      for (const [uid, { amounts }] of holdsOf(claim, nowMs)) {
        used.set(uid, (used.get(uid) ?? 0) + (amounts.get(CPU) ?? 0));
      }
    }
    for (const [uid, amount] of used) {
      mostUsed = Math.max(mostUsed, amount);
      if (amount > cpus) problems.push(`commit ${number}: ${amount} of ${cpus} used on ${uid}`);
    }
  };
  const put = (key: string, value: Uint8Array): void => {
    if (key.endsWith('/leader')) elections += 1;
    if (key.includes('/claims/')) claims.set(decodeClaim(value).uid, decodeClaim(value));
    if (!key.endsWith('/head')) return;
    const head = decodeHead(value);
    if (head.number !== number + 1) problems.push(`head ${head.number} after ${number}`);
    if (head.atMs < nowMs) problems.push(`commit ${head.number} goes back in time`);
    ({ number, atMs: nowMs } = head);
  };
  const run = async (): Promise<void> => {
    for await (const { events } of store.watch({ prefix: 'partitions/lab/', from: 1n, signal })) {
      for (const event of events) if (event.kind === 'put') put(event.at.key, event.at.value);
      check();
    }
  };
  return {
    claims,
    problems,
    ended: run(),
    number: () => number,
    elections: () => elections,
    mostUsed: () => mostUsed,
  };
};

export type Asker = (command: Command) => Promise<ClaimRecord | 'refused' | 'set'>;

/** Repeats a command at whoever leads until its outcome is known, as clients do. */
export const untilKnown =
  (
    replicas: readonly Replica[],
    { random, clock }: { readonly random: Random; readonly clock: Clock },
  ): Asker =>
  async (command) => {
    for (;;) {
      const leader = replicas.find((replica) => replica.leader() !== undefined)?.leader();
      const patience = new AbortController();
      clock.sleep(500 + random.fraction() * 3_000, patience.signal).then(
        () => patience.abort(new Error('deadline')),
        () => undefined,
      );
      try {
        if (leader === undefined) throw new Error('Nobody leads');
        if (command.verb !== 'set-capacity') return await claimOf(leader, command, patience.signal);
        await leader.submit(command, patience.signal);
        return 'set';
      } catch (error) {
        if (isDomainError(error, 'resource_exhausted')) return 'refused';
        if (isDomainError(error) && error.kind !== 'unavailable') throw error;
      } finally {
        patience.abort();
      }
      await clock.sleep(50 + random.fraction() * 200);
    }
  };
