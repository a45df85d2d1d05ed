/** Who uses the simulated schedulers: claimers of two projects, and the operator of the fleet. */
import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import type { Clock } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import { CPU, type Neighbours, WHOLE } from '../../rpc/scheduler-neighbours.ts';
import type { Wish } from '../../support/claim-asking.ts';
import type { ClaimCaller } from '../../support/claim-caller.ts';
import { amountsOf, type SimulatedProvider, toldOf } from './fleet.ts';

export type PersonDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly caller: ClaimCaller;
};

type Kind = 'slice' | 'whole' | 'booking' | 'short';

/** Claims in its project, uses what it got for a while and gives most of it back. */
export const claimer = async (
  deps: PersonDeps,
  { name, project, rounds }: { name: string; project: string; rounds: number },
): Promise<void> => {
  const { clock, random, caller } = deps;
  for (let round = 0; round < rounds; round += 1) {
    const kind = pick<Kind>(random, ['slice', 'slice', 'slice', 'whole', 'booking', 'short']);
    if (random.fraction() < 0.1) await useBatch(deps, `${name}-${round}`, project);
    const claim = await caller.create({
      project,
      claimId: `${name}-${round}`,
      ...wish(deps, kind),
    });
    if (claim === undefined) continue;
    // Who gives back at once may meet a leader that has not heard of the claim.
    if (random.fraction() < 0.6) await clock.sleep(random.fraction() * 600);
    if (random.fraction() < 0.3) await caller.show(claim);
    if (random.fraction() < 0.1) continue;
    const isBooked = kind === 'short' || kind === 'booking';
    if (isBooked && random.fraction() < 0.4) await moveEnd(deps, claim);
    const runsOut = kind === 'short' || (kind === 'booking' && random.fraction() < 0.5);
    if (!runsOut) await caller.beginRelease(claim);
    await giveBack(deps, claim);
  }
};

/** Some slices at once, given back soon. */
const useBatch = async (deps: PersonDeps, name: string, project: string): Promise<void> => {
  const wishes = ['x', 'y', 'z'].map((letter) => {
    return { project, claimId: `${name}-${letter}`, groups: [groupOf(CPU, 1)] };
  });
  for (const claim of await deps.caller.createBatch(wishes)) {
    await deps.caller.beginRelease(claim);
    await giveBack(deps, claim);
  }
};

/** Later more often than earlier. */
const moveEnd = async ({ random, caller }: PersonDeps, claim: Claim): Promise<void> => {
  const ends = claim.spec?.releaseTime;
  if (ends === undefined) return;
  const byMs = random.fraction() < 0.7 ? random.fraction() * 2_000 : random.fraction() * -800;
  await caller.moveEnd(claim, timestampMs(ends) + Math.ceil(byMs));
};

const wish = ({ clock, random }: PersonDeps, kind: Kind): Omit<Wish, 'project' | 'claimId'> => {
  const nowMs = clock.now().getTime();
  const groups = [groupOf(kind === 'whole' ? WHOLE : CPU, 1 + Math.floor(random.fraction() * 3))];
  if (kind === 'slice' || kind === 'whole') return { groups };
  const acquireMs = kind === 'short' ? nowMs : nowMs + 500 + random.fraction() * 3_000;
  const releaseMs = Math.max(nowMs + 1_000, acquireMs) + 500 + random.fraction() * 3_000;
  return { groups, acquireMs: Math.ceil(acquireMs), releaseMs: Math.ceil(releaseMs) };
};

export const groupOf = (resourceType: string, amount: number) => ({
  resources: [{ resourceType, amount: BigInt(resourceType === WHOLE ? 1 : amount) }],
});

/**
 * As machine does it, once the claim is being released: before that it is told to wait. What it
 * holds is looked up again, since a booking may have been moved to another provider.
 */
const giveBack = async ({ clock, caller }: PersonDeps, claim: Claim): Promise<void> => {
  let last = claim;
  for (let tries = 0; tries < 40; tries += 1) {
    const held = (last.status?.allocations ?? []).filter((one) => one.finishTime === undefined);
    const uids = new Set(held.map(({ providerUid }) => providerUid));
    if (uids.size === 0) return;
    let answer: Claim | undefined;
    for (const uid of uids) answer = (await caller.finishRelease(claim, uid)) ?? answer;
    if (answer === undefined) await clock.sleep(400);
    last = answer ?? (await caller.show(claim)) ?? last;
  }
};

/** Closes providers and opens them again, and changes how much they have. */
export const operator = async (
  { clock, random, caller }: PersonDeps,
  { fleet, neighbours, rounds }: Fleet & { readonly rounds: number },
): Promise<void> => {
  for (let round = 0; round < rounds; round += 1) {
    await clock.sleep(500 + random.fraction() * 2_000);
    const provider = pick(random, fleet);
    if (random.fraction() < 0.5) {
      await caller.setCapacity({ ...presentOf(provider), closed: true });
      await clock.sleep(random.fraction() * 2_000);
      await caller.setCapacity({ ...presentOf(provider), closed: false });
      continue;
    }
    const last = Math.max(...provider.amounts.keys());
    const amounts = amountsOf(2 + Math.floor(random.fraction() * 4));
    provider.amounts.set(last + 1, amounts);
    const { uid: providerUid } = provider;
    const changed = { providerUid, generation: last + 1, amounts, closed: false };
    if (!(await caller.setCapacity(changed))) continue;
    provider.generation = last + 1;
    await clock.sleep(random.fraction() * 1_000);
    neighbours.tell(toldOf(provider, last + 1));
  }
};

export type Fleet = {
  readonly fleet: readonly SimulatedProvider[];
  readonly neighbours: Neighbours;
};

/** As it was granted last. */
export const presentOf = (provider: SimulatedProvider) => ({
  providerUid: provider.uid,
  generation: provider.generation,
  amounts: provider.amounts.get(provider.generation) ?? new Map<string, number>(),
});

const pick = <T>(random: Random, all: readonly T[]): T => {
  const found = all[Math.floor(random.fraction() * all.length)];
  if (found === undefined) throw new Error('There is nothing to choose from');
  return found;
};
