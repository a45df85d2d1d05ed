/**
 * Passes over an agent that cannot reach a controller: the work there goes to another of its pool.
 * It stays where it is while something else is under way there, so that no two agents work at one
 * controller; what is under way ends in the same way, and the last of it moves.
 */
import assert from 'node:assert/strict';
import type { Clock } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { afterMiss, asTold, othersAfter, shortName } from '../domain/reach.ts';
import type { HardwareLease } from '../hardware-ports.ts';
import type { AfterMiss, Controllers } from '../order-port.ts';
import type { MachineWriter, Records } from '../ports.ts';
import { favourite, moveServers } from './controller-moves.ts';
import { tellOfProvider } from './provider-story.ts';

export type PassOverDeps = {
  readonly store: SqlStore;
  readonly records: Pick<Records, 'assignments' | 'events' | 'hardware' | 'machines'>;
  readonly writer: MachineWriter;
  readonly clock: Clock;
  readonly random: Random;
};

type Missing = {
  readonly lease: HardwareLease | undefined;
  /** Of the pool, those that are connected. */
  readonly up: readonly string[];
  readonly commandId: string;
  readonly agentKey: string;
};

const ACTOR = { principal: 'services/machine', requestId: 'pass over' };

export const passOver = async (
  deps: PassOverDeps,
  provider: ProviderView,
  { lease, up, agentKey, commandId }: Missing,
): Promise<AfterMiss> => {
  if (lease === undefined) return 'kept';
  if (lease.agentKey !== agentKey) return up.includes(lease.agentKey) ? 'moved' : 'kept';
  const nowMs = deps.clock.now().getTime();
  const missed = afterMiss(lease.missed, agentKey, nowMs);
  const others = othersAfter(missed, up, { agentKey, nowMs });
  if (missed === lease.missed && others.length === 0) return 'kept';
  const next = favourite(provider.uid, others);
  const { hardware } = deps.records;
  return deps.store.transaction(undefined, ACTOR, async (tx) => {
    // Another replica saw the same.
    if (!(await hardware.holdLease(tx, lease))) return 'busy';
    const asked = { providerUid: provider.uid, nowMs, beside: commandId };
    const isBusy = next !== '' && (await hardware.isOrdered(tx, asked));
    const moves = next !== '' && !isBusy;
    const isNews = missed.some((one) => one.agentKey === agentKey && !one.isTold);
    const known = moves ? asTold(missed, agentKey) : missed;
    assert(await hardware.saveMissed(tx, { ...lease, missed: known }), 'the row is locked');
    if (!moves) return isBusy ? 'busy' : 'kept';
    const given = await hardware.giveLease(tx, { ...lease, agentKey: next });
    assert(given !== undefined, 'the row is locked');
    await moveServers(deps, tx, given);
    if (isNews) await tellOfProvider(deps, tx, { provider, told: passedOver(agentKey, next) });
    return 'moved';
  });
};

const passedOver = (agentKey: string, nextKey: string) => {
  const [agent, next] = [shortName(agentKey), shortName(nextKey)];
  return {
    type: 'provider.agent_passed_over',
    severity: 'warning' as const,
    message:
      `The agent ${agent} cannot reach its controller: ${next} works there now. See whether ` +
      `${agent} may reach the management network, or take it out of the pool`,
    data: { agent: agentKey, next: nextKey },
  };
};

/** What is known against agents is over: the one that could not reach it does. */
export const hasReached: (
  deps: PassOverDeps,
  ...args: Parameters<Controllers['reached']>
) => Promise<void> = async (deps, provider, { agentKey, missed }) => {
  if (missed.every((one) => one.agentKey !== agentKey)) return;
  await deps.store.transaction(undefined, ACTOR, async (tx) => {
    const lease = await deps.records.hardware.findLease(tx, provider.uid);
    if (lease?.agentKey !== agentKey) return;
    await deps.records.hardware.saveMissed(tx, { ...lease, missed: [] });
  });
};
