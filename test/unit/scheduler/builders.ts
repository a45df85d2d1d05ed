/**
 * Providers, requests and a leader's state in few words, for the tests of the scheduler's domain.
 */
import type {
  CapacityRecord,
  Offer,
  ProviderFacts,
} from '../../../services/scheduler/domain/capacity.ts';
import { CHORE_TIMES, type ChoreTimes } from '../../../services/scheduler/domain/chores.ts';
import type {
  ClaimRecord,
  RequestGroup,
  SetConstraint,
} from '../../../services/scheduler/domain/claim.ts';
import type {
  Command,
  Decision,
  Draft,
  Origin,
} from '../../../services/scheduler/domain/command.ts';
import { decide } from '../../../services/scheduler/domain/decide.ts';
import {
  createPartitionState,
  type PartitionState,
} from '../../../services/scheduler/domain/partition-state.ts';

export const CPU = 'runm.cpu.shared';
export const MEMORY = 'runm.memory';
export const WHOLE = 'runm.machine.whole';

export type ProviderWish = {
  readonly uid: string;
  /** Usable amount by resource type. */
  readonly offers?: Readonly<Record<string, number | Partial<Offer>>>;
  readonly capabilities?: readonly string[];
  readonly groups?: readonly string[];
  readonly tags?: readonly string[];
  readonly closed?: boolean;
  readonly generation?: number;
  /** The provider of which it is a part. */
  readonly parentUid?: string;
};

export const offersFrom = (
  offers: Readonly<Record<string, number | Partial<Offer>>>,
): ReadonlyMap<string, Offer> =>
  new Map(
    Object.entries(offers).map(([code, offer]) => {
      const given = typeof offer === 'number' ? { usable: offer } : offer;
      const usable = given.usable ?? 0;
      return [code, { minUnit: 1, maxUnit: usable, stepSize: 1, ...given, usable }];
    }),
  );

export const factsOf = (wish: ProviderWish): ProviderFacts => ({
  uid: wish.uid,
  name: `partitions/lab/providers/${wish.uid}`,
  type: 'vm-host',
  generation: wish.generation ?? 1,
  capabilities: new Set(wish.capabilities ?? []),
  groups: new Set(wish.groups ?? []),
  tags: new Set(wish.tags ?? []),
  offers: offersFrom(wish.offers ?? {}),
  ...(wish.parentUid !== undefined && { parentUid: wish.parentUid }),
});

export const groupOf = (
  resources: Readonly<Record<string, number>>,
  rest: Partial<RequestGroup> = {},
): RequestGroup => ({
  name: 'main',
  resources: Object.entries(resources).map(([resourceType, amount]) => ({ resourceType, amount })),
  capabilities: [],
  providerGroups: ANY,
  tags: ANY,
  providers: [],
  isolateFrom: [],
  ...rest,
});

const ANY: SetConstraint = { require: [], forbid: [], any: [] };
export const constraint = (part: Partial<SetConstraint>): SetConstraint => ({
  ...ANY,
  ...part,
});

export const originOf = (requestId: string, rest: Partial<Origin> = {}): Origin => ({
  requestId,
  argumentHash: 'same',
  caller: 'users/ada',
  principal: 'users/ada',
  onBehalfOf: undefined,
  ...rest,
});

export type CreateWish = {
  readonly id: string;
  readonly groups?: readonly RequestGroup[];
  readonly count?: number;
  readonly acquireMs?: number;
  readonly releaseMs?: number;
  readonly ranking?: Draft['spec']['ranking'];
  readonly requestId?: string;
  readonly validateOnly?: boolean;
};

/** A create command; the claim's uid is its id. */
export const createCommand = (wish: CreateWish): Command => ({
  verb: 'create',
  origin: originOf(wish.requestId ?? `create-${wish.id}`),
  validateOnly: wish.validateOnly ?? false,
  draft: {
    uid: `uid-${wish.id.toLowerCase()}`,
    project: 'red',
    ancestors: [],
    claimId: wish.id,
    properties: {},
    tags: [],
    spec: {
      consumer: undefined,
      acquireMs: wish.acquireMs,
      releaseMs: wish.releaseMs,
      groups: wish.groups ?? [groupOf({ [CPU]: 1 })],
      count: wish.count ?? 1,
      ranking: wish.ranking ?? 'pack',
    },
  },
});

export const beginRelease = (id: string, requestId = `release-${id}`): Command => ({
  verb: 'begin-release',
  origin: originOf(requestId),
  ref: { project: 'red', claim: id },
  precondition: () => undefined,
});

export const finishRelease = (id: string, providerUid: string): Command => ({
  verb: 'finish-release',
  origin: originOf(`finish-${id}-${providerUid}`, { caller: 'services' }),
  ref: { project: 'red', claim: id },
  providerUid,
});

export const setCapacity = (
  providerUid: string,
  offers: Readonly<Record<string, number>>,
  rest: {
    readonly generation?: number;
    readonly closed?: boolean;
    readonly requestId?: string;
  } = {},
): Command => ({
  verb: 'set-capacity',
  origin: originOf(rest.requestId ?? '', { caller: 'services' }),
  providerUid,
  generation: rest.generation ?? 1,
  offers: offersFrom(offers),
  closed: rest.closed ?? false,
});

/** A state whose providers are open as wished. */
export const stateWith = (
  providers: readonly ProviderWish[],
  rest: {
    readonly claims?: Iterable<ClaimRecord>;
    /** Beside those of the providers. */
    readonly capacities?: Iterable<CapacityRecord>;
    readonly nowMs?: number;
    readonly times?: ChoreTimes;
  } = {},
): PartitionState =>
  createPartitionState({
    partition: 'lab',
    claims: rest.claims ?? [],
    facts: providers.map(factsOf),
    capacities: [
      ...(rest.capacities ?? []),
      ...providers.map((wish) => ({
        providerUid: wish.uid,
        generation: wish.generation ?? 1,
        offers: offersFrom(wish.offers ?? {}),
        closed: wish.closed ?? false,
        version: 1,
        updateMs: 0,
      })),
    ],
    nowMs: rest.nowMs ?? 0,
    times: rest.times ?? CHORE_TIMES,
  });

/** What a search finds that nobody interrupts. */
export const atOnce = <T>(search: Iterator<void, T>): T => {
  for (;;) {
    const step = search.next();
    if (step.done === true) return step.value;
  }
};

/** Decides and commits at once. Throws refusals. */
export const run = (state: PartitionState, command: Command, nowMs = 0): Decision => {
  const decision = decide(state, command, { nowMs, logNumber: 1 });
  state.take(decision, nowMs);
  state.settle(decision, nowMs);
  return decision;
};

/** The claim that a command grants. */
export const granted = (state: PartitionState, command: Command, nowMs = 0): ClaimRecord => {
  const decision = run(state, command, nowMs);
  if (!('claim' in decision)) throw new Error(`The command is about ${decision.kind}`);
  return decision.claim;
};
