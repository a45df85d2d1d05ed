import { alreadyExists, invalidArgument } from '../../runtime/errors.ts';
import { type ClaimRecord, claimName, isEnded, withNote } from './claim.ts';
import type { Command, Decision, Draft } from './command.ts';
import type { Moment } from './decide.ts';
import { entryOf, noteOf } from './log-entry.ts';
import { orRefuse } from './no-capacity.ts';
import type { PartitionState } from './partition-state.ts';
import { place } from './place.ts';

type Create = Extract<Command, { verb: 'create' }>;

export const decideCreate = (state: PartitionState, command: Create, moment: Moment): Decision => {
  const { draft, origin, validateOnly } = command;
  const { nowMs } = moment;
  const acquireMs = Math.max(draft.spec.acquireMs ?? nowMs, nowMs);
  assertWindow(acquireMs, draft);
  assertNameIsFree(state, draft);
  const spec = { ...draft.spec, acquireMs };
  const window = { fromMs: acquireMs, toMs: spec.releaseMs ?? Infinity };
  const plan = place(state.providers, { spec, window, seed: origin.requestId });
  const { providers, placements } = orRefuse(plan);
  const claim: ClaimRecord = {
    uid: draft.uid,
    partition: state.partition,
    project: draft.project,
    claimId: draft.claimId,
    owner: origin.onBehalfOf ?? origin.principal,
    ancestors: draft.ancestors,
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
    logNumber: moment.logNumber,
    requests: withNote([], noteOf(origin, 'create', nowMs)),
  };
  if (validateOnly) return { kind: 'shown', claim };
  const after = {
    acquireMs,
    releaseMs: spec.releaseMs,
    count: spec.count,
    groups: spec.groups.map(({ name, resources }) => ({ name, resources })),
    providers: providers.slice(0, 64).map(({ uid }) => uid),
  };
  return { kind: 'claim', claim, entry: entryOf('claim.create', { claim, origin, after }) };
};

const assertWindow = (acquireMs: number, { spec }: Draft): void => {
  const { releaseMs } = spec;
  if (releaseMs === undefined || releaseMs > acquireMs) return;
  const [from, to] = [acquireMs, releaseMs].map((ms) => new Date(ms).toISOString());
  throw invalidArgument('WINDOW_INVALID', `The window begins at ${from} and ends at ${to}`, {
    metadata: { acquireTime: from ?? '', releaseTime: to ?? '' },
    violations: [{ field: 'claim.spec.release_time', description: 'must be after acquire_time' }],
  });
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
