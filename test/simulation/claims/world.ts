/** A simulated installation on one clock, its callers, and the verdict on what they saw. */
import { createClient, type Transport } from '@connectrpc/connect';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { QuotaService } from '../../../gen/runmachine/scheduler/v1/quota_service_pb.ts';
import type { Random } from '../../../services/runtime/random.ts';
import { openEmbeddedCoordination } from '../../../services/store/coordination/embedded/open.ts';
import type { Coordination, KeyValue } from '../../../services/store/coordination/port.ts';
import { createNeighbours, type Neighbours } from '../../rpc/scheduler-neighbours.ts';
import { type ClaimCaller, createClaimCaller } from '../../support/claim-caller.ts';
import { checkClaims } from '../../support/claim-checker/check.ts';
import type { Listed, QuotaShown, Violation } from '../../support/claim-checker/evidence.ts';
import { createHistory, type History } from '../../support/claim-checker/history.ts';
import { readStored, type Stored } from '../../support/claim-checker/stored.ts';
import type { Fate } from '../../support/lossy-coordination.ts';
import { type ManualClock, manualClock } from '../../support/manual-clock.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { silentLog } from '../../support/silent-log.ts';
import { newProvider, type SimulatedProvider, toldOf } from './fleet.ts';
import { createNetwork } from './network.ts';
import { type Safeguard, without } from './sabotage.ts';
import { createSite, type Site } from './site.ts';

export type WorldOptions = {
  readonly seed: number;
  /** Left out on every replica. */
  readonly broken?: Safeguard | undefined;
  /** True from when on the network loses nothing any more. */
  readonly isCalm: (clock: ManualClock) => boolean;
  /** What becomes of a transaction with these keys. */
  readonly fateOf: (keys: readonly string[], world: Pick<World, 'clock' | 'random'>) => Fate;
};

export type World = {
  readonly clock: ManualClock;
  readonly random: Random;
  readonly store: Coordination;
  readonly neighbours: Neighbours;
  readonly fleet: readonly SimulatedProvider[];
  readonly site: Site;
  readonly history: History;
  /** Somebody who calls by any of these ways, or by all there are. */
  readonly caller: (name: string, ways?: readonly Transport[]) => ClaimCaller;
  /** Lets time pass until the work ends; false when that took too long. */
  readonly settle: (work: Promise<unknown>, onStep?: () => Promise<void>) => Promise<boolean>;
  readonly judge: () => Promise<{ readonly violations: readonly Violation[]; stored: Stored }>;
  readonly stop: () => Promise<void>;
};

const STEP_MS = 50;
const STEPS_MAX = 8_000;

export const createWorld = async (options: WorldOptions): Promise<World> => {
  const { seed, broken } = options;
  const clock = manualClock();
  const random = seededRandom(seed);
  const store = openEmbeddedCoordination({ file: ':memory:', clock, random, log: silentLog });
  const neighbours = createNeighbours();
  const fleet = [newProvider(1, 4), newProvider(2, 4), newProvider(3, 2)];
  for (const provider of fleet) neighbours.tell(toldOf(provider, 1));
  const network = createNetwork({ clock, random, isCalm: () => options.isCalm(clock) });
  const site = await createSite({
    clock,
    random,
    neighbours,
    network,
    store: () => (broken === undefined ? store : without(broken, store)),
    fateOf: (keys) => options.fateOf(keys, { clock, random }),
  });
  const history = createHistory();
  const settle: World['settle'] = (work, onStep) => untilDone(work, { clock, onStep });
  return {
    clock,
    random,
    store,
    neighbours,
    fleet,
    site,
    history,
    settle,
    caller: (name, ways = [...site.ways.values()]) =>
      createClaimCaller({
        name,
        ways: () => ways,
        history,
        clock,
        random,
        attemptMs: 3_000,
        patienceMs: 120_000,
        mayLinger: network.mayLinger,
      }),
    judge: async () => {
      const quotas: QuotaShown[] = [];
      const listed: Listed[] = [];
      for (const [replica, way] of site.ways) {
        const asking = Promise.all([quotasShown(way, clock.now().getTime()), allListed(way)]);
        await settle(asking);
        const [shown, claims] = await asking;
        quotas.push(...shown);
        listed.push({ replica, claims });
      }
      const stored = readStored(await keysOf(store));
      const { calls } = history;
      return { violations: checkClaims({ calls, stored, fleet, quotas, listed }), stored };
    },
    stop: async () => {
      await settle(site.stop());
      await settle(store.close());
    },
  };
};

/** What that replica says of all quotas. */
const quotasShown = async (way: Transport, atMs: number): Promise<readonly QuotaShown[]> => {
  const { quotas } = await createClient(QuotaService, way).listQuotas({
    parent: 'partitions/lab/projects/-',
  });
  return quotas.flatMap(({ name, status }) =>
    (status?.uses ?? []).map(({ resourceType, used }) => ({
      project: name.split('/')[3] ?? '',
      resourceType,
      used: Number(used),
      atMs,
    })),
  );
};

const allListed = async (way: Transport): Promise<Listed['claims']> => {
  const { claims, nextPageToken } = await createClient(ClaimService, way).listClaims({
    parent: 'partitions/lab/projects/-',
    pageSize: 1_000,
  });
  if (nextPageToken !== '') throw new Error('The simulation made more claims than a page has');
  return claims.map(({ uid, status }) => ({
    uid,
    isReleasing: status?.releaseBeginTime !== undefined,
  }));
};

type Passing = {
  readonly clock: ManualClock;
  readonly onStep: (() => Promise<void>) | undefined;
};

const untilDone = async (work: Promise<unknown>, { clock, onStep }: Passing): Promise<boolean> => {
  let isDone = false;
  const end = () => {
    isDone = true;
  };
  work.then(end, end);
  for (let step = 0; !isDone; step += 1) {
    if (step > STEPS_MAX) return false;
    await clock.advance(STEP_MS);
    await onStep?.();
  }
  await work;
  return true;
};

const keysOf = async (store: Coordination): Promise<readonly KeyValue[]> => {
  const keys: KeyValue[] = [];
  for (let more = true; more; ) {
    const after = keys.at(-1)?.key;
    const range = { prefix: 'partitions/lab/', ...(after !== undefined && { after }) };
    const page = await store.range(range, new AbortController().signal);
    keys.push(...page.keys);
    ({ more } = page);
  }
  return keys;
};
