import { alreadyExists } from '../../runtime/errors.ts';
import { type ClaimRecord, claimName, isEnded, type Placement, withNote } from './claim.ts';
import { windowOf } from './claim-length.ts';
import type { Command, Decision, Draft, Origin } from './command.ts';
import type { Moment } from './decide.ts';
import type { Interval } from './hold.ts';
import { entryOf, noteOf } from './log-entry.ts';
import { orRefuse } from './no-capacity.ts';
import type { PartitionState } from './partition-state.ts';
import type { Chosen } from './plan.ts';
import { assertQuota } from './quota-check.ts';
import { givenAmounts, leastAmounts } from './quota-count.ts';
import { placeWithinQuota } from './within-quota.ts';

type Create = Extract<Command, { verb: 'create' }>;

export const decideCreate = (state: PartitionState, command: Create, moment: Moment): Decision => {
  const { draft, origin } = command;
  const prepared = prepare(state, { draft, origin }, moment);
  const { spec, window, owner } = prepared;
  const { project, ancestors } = draft;
  const asked = { spec, window, seed: spec.seed ?? origin.requestId };
  const plan = placeWithinQuota(state, asked, { project, ancestors, owner });
  const decision = grant(state, { ...prepared, ...orRefuse(plan), verb: 'create' }, moment);
  return command.validateOnly ? { kind: 'shown', claim: decision.claim } : decision;
};

type Asked = { readonly draft: Draft; readonly origin: Origin };

type Prepared = Asked & {
  readonly spec: ClaimRecord['spec'];
  readonly window: Interval;
  readonly owner: string;
};

/** What can be refused before anybody looks for a place. */
export const prepare = (
  state: PartitionState,
  { draft, origin }: Asked,
  { nowMs }: Moment,
): Prepared => {
  assertNameIsFree(state, draft);
  const window = windowOf(draft, state.quotas.find, { nowMs });
  const owner = origin.onBehalfOf ?? origin.principal;
  const releaseMs = window.toMs === Infinity ? undefined : window.toMs;
  const spec = { ...draft.spec, acquireMs: window.fromMs, releaseMs };
  const { project, ancestors } = draft;
  const amounts = () => leastAmounts(spec);
  assertQuota(state.quotas, { project, ancestors, owner }, { amounts, over: window });
  return { draft, origin, spec, window, owner };
};

type Placed = Prepared & {
  readonly verb: 'create' | 'execute';
  readonly providers: readonly Chosen[];
  readonly placements: readonly Placement[];
};

/** The claim on the place that was found. Errors: QUOTA_EXCEEDED. */
export const grant = (
  state: PartitionState,
  { draft, origin, spec, window, owner, verb, providers, placements }: Placed,
  { nowMs, logNumber }: Moment,
): Extract<Decision, { kind: 'claim' }> => {
  const { project, ancestors } = draft;
  const amounts = () => givenAmounts(spec, placements);
  assertQuota(state.quotas, { project, ancestors, owner }, { amounts, over: window });
  const claim: ClaimRecord = {
    uid: draft.uid,
    partition: state.partition,
    project,
    claimId: draft.claimId,
    owner,
    ancestors,
    version: 1,
    generation: 1,
    createMs: nowMs,
    updateMs: nowMs,
    properties: draft.properties,
    tags: draft.tags,
    spec,
    providers: providers.map(({ uid, name }) => ({ uid, name, finishMs: undefined })),
    placements,
    releaseBeginMs: undefined,
    logNumber,
    requests: withNote([], noteOf(origin, verb, nowMs)),
  };
  const after = {
    acquireMs: spec.acquireMs,
    releaseMs: spec.releaseMs,
    count: spec.count,
    groups: spec.groups.map(({ name, resources }) => ({ name, resources })),
    providers: providers.slice(0, 64).map(({ uid }) => uid),
  };
  return { kind: 'claim', claim, entry: entryOf('claim.create', { claim, origin, after }) };
};

/** A claim that has ended leaves its name to the next. */
const assertNameIsFree = (state: PartitionState, { project, claimId }: Draft): void => {
  const there = state.claims.findByName(project, claimId);
  if (there === undefined || isEnded(there)) return;
  const name = claimName(there);
  throw alreadyExists('ALREADY_EXISTS', `The claim "${name}" exists already`, {
    metadata: { name, type: 'runm.claim' },
  });
};
