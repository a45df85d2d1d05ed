/**
 * What follows from the claims of a partition, by whoever sweeps it: machines whose claim ends go,
 * claims whose machine is gone are released, and each provider of a claim that ends is given back
 * once it is clean. A provider that does not clean itself waits for an operator, whoever held it.
 */
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { derivedRequestId, type Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { type ClaimView, judgeClaim } from '../domain/claim.ts';
import type { FollowedClaim } from '../domain/claim-news.ts';
import { aboutProvider, event } from '../domain/event.ts';
import type { Machine } from '../domain/machine.ts';
import { cleansItself } from '../domain/provider-state.ts';
import type { InventoryPort, SchedulerPort } from '../neighbours-port.ts';
import type { Records } from '../ports.ts';
import { announceClaim } from './claim-announcer.ts';

export type ClaimFollowerDeps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly scheduler: Pick<SchedulerPort, 'watchClaims' | 'beginRelease' | 'finishRelease'>;
  readonly inventory: Pick<InventoryPort, 'findProvider'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly sweepMs: number;
  readonly findProvider: (providerUid: string) => ProviderView | undefined;
  /** Begins to delete a machine whose claim has ended. */
  readonly endMachine: (machine: Machine) => Promise<void>;
};

type Where = { readonly partition: string; readonly signal: AbortSignal };

const ACTOR = { principal: 'services/machine', requestId: 'claims' };

export const followClaims = async (deps: ClaimFollowerDeps, where: Where): Promise<void> => {
  const { partition, signal } = where;
  while (!signal.aborted) {
    try {
      await followOnce(deps, where);
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ err: error, partition }, 'claims cannot be followed');
    }
    await deps.clock.sleep(deps.sweepMs * 2, signal).catch(() => undefined);
  }
};

/** Ends early where something was left undone: the next look begins with all that there is. */
const followOnce = async (deps: ClaimFollowerDeps, { partition, signal }: Where): Promise<void> => {
  const behind = new AbortController();
  const stop = AbortSignal.any([signal, behind.signal]);
  let isBehind = false;
  for await (const claim of deps.scheduler.watchClaims(partition, stop)) {
    try {
      await judge(deps, claim, { partition, signal });
    } catch (error) {
      if (signal.aborted) return;
      // One claim that cannot be judged now must not keep the others waiting.
      deps.log.warn({ err: error, claim: claim.name }, 'claim cannot be looked at now');
      if (isBehind) continue;
      isBehind = true;
      deps.clock.sleep(deps.sweepMs * 2, stop).then(
        () => behind.abort(),
        () => undefined,
      );
    }
  }
};

const judge = async (
  deps: ClaimFollowerDeps,
  claim: FollowedClaim,
  where: Where,
): Promise<void> => {
  await announceClaim(deps, claim);
  const machines = await machinesOf(deps, claim);
  const verdict = judgeClaim(claim, machines, deps.clock.now().getTime());
  const waiting = await stillWaiting(deps, claim);
  switch (verdict.kind) {
    case 'leave':
      return;
    case 'delete-machines':
      for (const machine of machines) await deps.endMachine(machine);
      return;
    case 'release': {
      const requestId = derivedRequestId(claim.uid, 'release');
      await deps.scheduler.beginRelease(claim.name, requestId, where.signal);
      return;
    }
    case 'finish':
      for (const providerUid of verdict.providerUids) {
        if (!waiting.has(providerUid)) await giveBack(deps, { claim, providerUid }, where);
      }
      return;
    default:
      verdict satisfies never;
  }
};

const machinesOf = (deps: ClaimFollowerDeps, claim: ClaimView): Promise<readonly Machine[]> =>
  deps.store.read(async (reader) => {
    const holding = await deps.records.machines.ofClaim(reader, claim.uid);
    const consumer =
      claim.consumerUid === ''
        ? undefined
        : await deps.records.machines.find(reader, claim.consumerUid);
    const others = holding.filter((machine) => machine.uid !== consumer?.uid);
    return consumer === undefined ? others : [...others, consumer];
  });

type Held = { readonly claim: FollowedClaim; readonly providerUid: string };

const giveBack = async (
  deps: ClaimFollowerDeps,
  { claim, providerUid }: Held,
  { partition, signal }: Where,
): Promise<void> => {
  const provider =
    deps.findProvider(providerUid) ??
    (await deps.inventory.findProvider(`partitions/${partition}/providers/${providerUid}`, signal));
  // One that is not recorded any more is handed on to nobody; what never began left nothing behind.
  if (provider === undefined || cleansItself(provider) || claim.end === 'cancelled') {
    const requestId = derivedRequestId(claim.uid, `finish ${providerUid}`);
    await deps.scheduler.finishRelease({ name: claim.name, providerUid, requestId }, signal);
    return;
  }
  await awaitCleaning(deps, claim, provider);
};

const awaitCleaning = async (
  { store, records, clock, random, log }: ClaimFollowerDeps,
  claim: ClaimView,
  provider: ProviderView,
): Promise<void> => {
  const nowMs = clock.now().getTime();
  const { partition, uid: providerUid } = provider;
  const cleaning = { claimUid: claim.uid, claim: claim.name, providerUid, partition };
  const isNew = await store.transaction(undefined, ACTOR, async (tx) => {
    if (!(await records.cleanings.insert(tx, { ...cleaning, sinceMs: nowMs }))) return false;
    const draft = event(nowMs, {
      type: 'provider.cleaning_needed',
      severity: 'warning',
      message: `${claim.name} has ended; when the provider is clean, return it`,
      data: { claim: claim.name },
    });
    await records.events.insert(tx, [
      {
        ...draft,
        ...aboutProvider(provider),
        uid: random.uid(),
        recordMs: nowMs,
        principal: '',
        operation: '',
      },
    ]);
    return true;
  });
  if (isNew)
    log.info({ provider: provider.name, claim: claim.name }, 'provider waits for cleaning');
};

/**
 * Providers of the claim that wait for a cleaning. What was given back, whoever said that it was
 * clean, waits no longer.
 */
const stillWaiting = async (
  { store, records }: ClaimFollowerDeps,
  claim: ClaimView,
): Promise<ReadonlySet<string>> => {
  if (claim.state !== 'releasing' && claim.state !== 'released') return new Set();
  const known = await store.read((reader) => records.cleanings.ofClaim(reader, claim.uid));
  const held = new Set(
    claim.places.filter(({ finished }) => !finished).map(({ providerUid }) => providerUid),
  );
  const done = known.filter(({ providerUid }) => !held.has(providerUid));
  if (done.length > 0) {
    await store.transaction(undefined, ACTOR, (tx) => records.cleanings.remove(tx, done));
  }
  return new Set(known.map(({ providerUid }) => providerUid).filter((uid) => held.has(uid)));
};
