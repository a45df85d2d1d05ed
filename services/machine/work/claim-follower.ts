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
import { type ClaimView, isEnding, isLeftAlone, judgeClaim } from '../domain/claim.ts';
import type { FollowedClaim } from '../domain/claim-news.ts';
import type { Machine } from '../domain/machine.ts';
import { follow } from '../domain/provider-lifecycle.ts';
import { cleansItself } from '../domain/provider-state.ts';
import { cleansAfter, cleanTaskOf } from '../domain/provider-work.ts';
import type { InventoryPort, SchedulerPort } from '../neighbours-port.ts';
import type { Records } from '../ports.ts';
import { announceClaim } from './claim-announcer.ts';
import { tellOfProvider } from './provider-story.ts';

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
  /** Whether something is configured that cleans servers. */
  readonly hasCleaningHook: boolean;
  readonly tasks: { readonly nudge: () => void };
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
  /**
   * Claims whose machines are on their way out: nothing changes in the claim when they are gone.
   */
  const leaving = new Map<string, FollowedClaim>();
  const look = async (claim: FollowedClaim): Promise<void> => {
    leaving.delete(claim.uid);
    const isLater = await judge(deps, claim, { partition, signal });
    if (isLater) leaving.set(claim.uid, claim);
  };
  lookAgain(deps, leaving, { look, stop }).catch(() => undefined);
  for await (const claim of deps.scheduler.watchClaims(partition, stop)) {
    try {
      await look(claim);
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
  behind.abort();
};

type Looking = {
  readonly look: (claim: FollowedClaim) => Promise<void>;
  readonly stop: AbortSignal;
};

const lookAgain = async (
  deps: ClaimFollowerDeps,
  leaving: ReadonlyMap<string, FollowedClaim>,
  { look, stop }: Looking,
): Promise<void> => {
  while (!stop.aborted) {
    await deps.clock.sleep(deps.sweepMs, stop);
    for (const claim of [...leaving.values()]) {
      await look(claim).catch((error: unknown) => {
        if (!stop.aborted)
          deps.log.warn({ err: error, claim: claim.name }, 'claim is looked at later');
      });
    }
  }
};

/** Whether it is to be looked at again though it does not change. */
const judge = async (
  deps: ClaimFollowerDeps,
  claim: FollowedClaim,
  where: Where,
): Promise<boolean> => {
  await announceClaim(deps, claim);
  const nowMs = deps.clock.now().getTime();
  if (isLeftAlone(claim, nowMs)) return false;
  const machines = await machinesOf(deps, claim);
  const verdict = judgeClaim(claim, machines, nowMs);
  const known = await cleaningsOf(deps, claim);
  switch (verdict.kind) {
    case 'leave':
      return isEnding(claim) && machines.some(({ state }) => state !== 'gone');
    case 'delete-machines':
      for (const machine of machines) await deps.endMachine(machine);
      return true;
    case 'release': {
      const requestId = derivedRequestId(claim.uid, 'release');
      await deps.scheduler.beginRelease(claim.name, requestId, where.signal);
      return false;
    }
    case 'finish':
      for (const providerUid of verdict.providerUids) {
        if (!known.has(providerUid)) await giveBack(deps, { claim, providerUid }, where);
      }
      return false;
    default:
      return verdict satisfies never;
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

/** The cleaning is written down with the task that does it, or with the word that asks for it. */
const awaitCleaning = async (
  deps: ClaimFollowerDeps,
  claim: ClaimView,
  provider: ProviderView,
): Promise<void> => {
  const { store, records, clock, random, log } = deps;
  const nowMs = clock.now().getTime();
  const { partition, uid: providerUid } = provider;
  const known = await store.read((reader) => records.providers.find(reader, providerUid));
  // What is quarantined is nobody's to touch; its return says that it is clean.
  const isLeftAlone = known?.state === 'quarantined';
  const isOurs = !isLeftAlone && cleansAfter(provider, claim, deps.hasCleaningHook);
  const cleaning = {
    claimUid: claim.uid,
    claim: claim.name,
    providerUid,
    partition,
    sinceMs: nowMs,
    life: isOurs
      ? follow('in_use', 'claim_ended', 'releasing')
      : follow('in_use', 'claim_ended', 'cleaning'),
    lifeMs: nowMs,
    problem: null,
    doneMs: null,
  };
  const isNew = await store.transaction(undefined, ACTOR, async (tx) => {
    if (!(await records.cleanings.insert(tx, cleaning))) return false;
    const asked = { uid: random.uid(), cleaning, provider: provider.name, principal: '' };
    if (isOurs) await records.tasks.insert(tx, cleanTaskOf(asked, nowMs));
    await tellOfProvider(deps, tx, { provider, told: isOurs ? releasing(claim) : needed(claim) });
    return true;
  });
  if (!isNew) return;
  if (isOurs) deps.tasks.nudge();
  log.info({ provider: provider.name, claim: claim.name, isOurs }, 'provider is to be cleaned');
};

const releasing = ({ name }: ClaimView) => ({
  type: 'provider.releasing',
  message: `${name} has ended; it is switched off and cleaned before anybody else gets it`,
  data: { claim: name },
});

const needed = ({ name }: ClaimView) => ({
  type: 'provider.cleaning_needed',
  severity: 'warning' as const,
  message: `${name} has ended; when the provider is clean, return it`,
  data: { claim: name },
});

/**
 * Providers of the claim that have their cleaning, whether it waits or is done: a replica of the
 * scheduler that lags may show one as held that was given back. What was given back, whoever said
 * that it was clean, waits no longer.
 */
const cleaningsOf = async (
  { store, records, clock }: ClaimFollowerDeps,
  claim: ClaimView,
): Promise<ReadonlySet<string>> => {
  if (!isEnding(claim)) return new Set();
  const known = await store.read((reader) => records.cleanings.ofClaim(reader, claim.uid));
  const held = new Set(
    claim.places.filter(({ finished }) => !finished).map(({ providerUid }) => providerUid),
  );
  const done = known.filter(({ providerUid, doneMs }) => doneMs === null && !held.has(providerUid));
  if (done.length > 0) {
    const doneMs = clock.now().getTime();
    await store.transaction(undefined, ACTOR, async (tx) => {
      for (const one of done) await records.cleanings.save(tx, { ...one, doneMs });
    });
  }
  return new Set(known.map(({ providerUid }) => providerUid));
};
