/**
 * Many clients against scheduler processes and an etcd to which things happen: leaders are killed
 * and stand still, etcd ends and starts again. What the clients saw and what the store holds in the
 * end goes to the checker.
 */
import { create } from '@bufbuild/protobuf';
import {
  type Provider,
  ProviderSchema,
  ProviderType,
} from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { Claim } from '../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import type { Random } from '../../services/runtime/random.ts';
import { CPU, WHOLE } from '../rpc/scheduler-neighbours.ts';
import { type ClaimCaller, createClaimCaller } from './claim-caller.ts';
import { checkClaims } from './claim-checker/check.ts';
import type { FleetProvider, Violation } from './claim-checker/evidence.ts';
import { type Call, createHistory } from './claim-checker/history.ts';
import { readStored, type Stored } from './claim-checker/stored.ts';
import type { SchedulerProcesses } from './scheduler-processes.ts';
import { seededRandom } from './seeded-random.ts';

export type FaultsOptions = {
  readonly seed: number;
  readonly clients: number;
  /** What happens, one after the other. */
  readonly faults: readonly Fault[];
  /** Quiet time after each. */
  readonly pauseMs: number;
  readonly say: (line: string) => void;
};

export type Fault = 'kill-leader' | 'freeze-leader' | 'restart-etcd' | 'freeze-etcd';

export type Outcome = {
  readonly violations: readonly Violation[];
  readonly calls: readonly Call[];
  readonly stored: Stored;
};

const PROVIDERS = 8;
const CPUS = 8;
/** Longer than the lease of a leader, so that another one leads when it wakes. */
const FREEZE_MS = 6_500;
const ETCD_AWAY_MS = 1_500;
const ETCD_STILL_MS = 3_000;

const clock = systemClock;

export const runUnderFaults = async (
  site: SchedulerProcesses,
  options: FaultsOptions,
): Promise<Outcome> => {
  const { seed, say } = options;
  const random = seededRandom(seed);
  const history = createHistory();
  const caller = (name: string): ClaimCaller =>
    createClaimCaller({
      name,
      ways: () => site.processes.map(({ transport }) => transport),
      history,
      clock,
      random,
      attemptMs: 5_000,
      patienceMs: 60_000,
    });
  const fleet = Array.from({ length: PROVIDERS }, (_, at) => providerAt(at));
  for (const provider of fleet) site.neighbours.tell(toldOf(provider));
  const admin = caller('operator');
  await Promise.all(fleet.map((provider) => admin.setCapacity(openOf(provider))));

  const ended = new AbortController();
  const clients = Array.from({ length: options.clients }, (_, at) =>
    claimer(caller(`c${at}`), { name: `c${at}`, random, signal: ended.signal }),
  );
  const all = Promise.all(clients);
  all.catch(() => ended.abort());
  for (const fault of options.faults) {
    await clock.sleep(options.pauseMs);
    const grantedBefore = grantedCount(history.calls);
    say(`${fault}: ${grantedBefore} granted before`);
    await strike(site, fault, async () => {
      const beganMs = clock.monotonicMs();
      await untilDecided(site, history.calls, beganMs);
      say(`  claims were decided again after ${Math.round(clock.monotonicMs() - beganMs)} ms`);
    });
  }
  await clock.sleep(options.pauseMs);
  ended.abort();
  await all;
  const stored = readStored(await site.keys());
  const { calls } = history;
  return { violations: checkClaims({ calls, stored, fleet }), calls, stored };
};

/** The fault, and `served` as soon as service can be expected again. */
const strike = async (
  { etcd, leader }: SchedulerProcesses,
  fault: Fault,
  served: () => Promise<void>,
): Promise<void> => {
  switch (fault) {
    case 'kill-leader': {
      const victim = await leader();
      await victim.kill();
      await served();
      victim.start();
      return;
    }
    case 'freeze-leader': {
      const victim = await leader();
      victim.freeze();
      const frozen = clock.sleep(FREEZE_MS);
      await served();
      await frozen;
      victim.thaw();
      return;
    }
    case 'restart-etcd':
      await etcd.kill();
      await clock.sleep(ETCD_AWAY_MS);
      await etcd.restart();
      return served();
    case 'freeze-etcd':
      await etcd.freeze();
      await clock.sleep(ETCD_STILL_MS);
      etcd.thaw();
      return served();
  }
};

const SERVED_LIMIT_MS = 30_000;

/** Until a claim is made or refused whose request began after that time. */
const untilDecided = async (
  { processes }: SchedulerProcesses,
  calls: readonly Call[],
  afterMs: number,
): Promise<void> => {
  const endMs = clock.monotonicMs() + SERVED_LIMIT_MS;
  const isDecided = ({ request, outcome, beganMs }: Call): boolean =>
    request.verb === 'create' && outcome.kind !== 'unknown' && beganMs >= afterMs;
  while (!calls.slice(-500).some(isDecided)) {
    if (clock.monotonicMs() > endMs) {
      const logs = processes.map(({ address, logged }) => `${address}:\n${logged().slice(-2_000)}`);
      throw new Error(`No claim was decided for half a minute\n${logs.join('\n')}`);
    }
    await clock.sleep(20);
  }
};

const grantedCount = (calls: readonly Call[]): number =>
  calls.filter(({ request, outcome }) => request.verb === 'create' && outcome.kind === 'granted')
    .length;

type Wants = { readonly name: string; readonly random: Random; readonly signal: AbortSignal };

/** Claims and gives back until told to end. */
const claimer = async (caller: ClaimCaller, { name, random, signal }: Wants): Promise<void> => {
  for (let round = 0; !signal.aborted; round += 1) {
    const isWhole = random.fraction() < 0.15;
    const amount = isWhole ? 1 : 1 + Math.floor(random.fraction() * 3);
    const resources = [{ resourceType: isWhole ? WHOLE : CPU, amount: BigInt(amount) }];
    const project = random.fraction() < 0.5 ? 'red' : 'blue';
    const wish = { project, claimId: `${name}-${round}`, groups: [{ resources }] };
    const claim = await caller.create(wish);
    await clock.sleep(20 + random.fraction() * 200);
    // Some slices are kept; whole providers would soon be used up.
    if (claim === undefined || (!isWhole && random.fraction() < 0.01)) continue;
    if ((await caller.beginRelease(claim)) === undefined) continue;
    for (const uid of providersOf(claim)) await caller.finishRelease(claim, uid);
  }
};

const providersOf = (claim: Claim): ReadonlySet<string> =>
  new Set((claim.status?.allocations ?? []).map(({ providerUid }) => providerUid));

const providerAt = (at: number): FleetProvider => ({
  uid: `00000000-0000-7000-8000-${String(at).padStart(12, '0')}`,
  amounts: new Map([
    [
      1,
      new Map([
        [CPU, CPUS],
        [WHOLE, 1],
      ]),
    ],
  ]),
});

const openOf = ({ uid: providerUid, amounts }: FleetProvider) => ({
  providerUid,
  generation: 1,
  amounts: amounts.get(1) ?? new Map<string, number>(),
  closed: false,
});

const toldOf = ({ uid, amounts }: FleetProvider): Provider =>
  create(ProviderSchema, {
    name: `partitions/lab/providers/${uid}`,
    uid,
    generation: 1n,
    spec: {
      type: ProviderType.BARE_METAL,
      inventories: [...(amounts.get(1) ?? [])].map(([resourceType, amount]) => ({
        resourceType,
        total: BigInt(amount),
      })),
    },
  });
