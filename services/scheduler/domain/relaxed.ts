/**
 * Requests that are one constraint less than another: of those constraints that its groups lay on
 * each other, or several providers of a group meet together. No funnel counts these, because what
 * they remove depends on what else is chosen.
 */
import { type ClaimSpec, isOverSeveral, type RequestGroup, type SetConstraint } from './claim.ts';
import { farWords, nearWords } from './filters/distances.ts';
import { inKindWords } from './filters/provider-groups.ts';
import type { PlaceRequest } from './place.ts';

export type Relaxed = {
  /** Request group that has the constraint; undefined = the claim. */
  readonly group: string | undefined;
  /** As people say it. */
  readonly constraint: string;
  readonly request: PlaceRequest;
};

export function* relaxedOf(request: PlaceRequest): Generator<Relaxed> {
  const { spec } = request;
  const { spread } = spec;
  if (spread !== undefined && spread.maxPerGroup > 0) {
    const constraint = `at most ${spread.maxPerGroup} in a group of kind ${spread.groupKind}`;
    const wider = { ...spec, spread: { ...spread, maxPerGroup: 0 } };
    yield { group: undefined, constraint, request: { ...request, spec: wider } };
  }
  for (const [position, group] of spec.groups.entries()) {
    for (const [constraint, changed] of changesOf(group)) {
      const changedSpec = { ...spec, groups: spec.groups.with(position, changed) };
      yield { group: group.name, constraint, request: { ...request, spec: changedSpec } };
    }
  }
}

/** The name of a constraint, and the group without it. */
type Change = readonly [string, RequestGroup];

function* changesOf(group: RequestGroup): Generator<Change> {
  const { name, isolateFrom, sameSubtree = [], distances = [] } = group;
  for (const [at, other] of isolateFrom.entries()) {
    const words = other === name ? 'each on another provider' : `on other providers than ${other}`;
    yield [words, { ...group, isolateFrom: isolateFrom.toSpliced(at, 1) }];
  }
  for (const [at, other] of sameSubtree.entries()) {
    const words = other === name ? 'all in one tree' : `in one tree with ${other}`;
    yield [words, { ...group, sameSubtree: sameSubtree.toSpliced(at, 1) }];
  }
  for (const [at, wanted] of distances.entries()) {
    if (wanted.from.kind !== 'request-group') continue;
    const { minimum, maximum, ...rest } = wanted;
    if (maximum !== undefined) {
      const left = { ...rest, ...(minimum !== undefined && { minimum }) };
      yield [nearWords(wanted), { ...group, distances: distances.with(at, left) }];
    }
    if (minimum !== undefined) {
      const left = { ...rest, ...(maximum !== undefined && { maximum }) };
      yield [farWords(wanted), { ...group, distances: distances.with(at, left) }];
    }
  }
  if (isOverSeveral(group)) yield* togetherChanges(group);
}

/** What several providers must have, whichever of them has it. */
function* togetherChanges(group: RequestGroup): Generator<Change> {
  const { capabilities, providerGroups, tags, properties } = group;
  if (capabilities.length > 1) {
    yield ['each of its blocks of capabilities', { ...group, capabilities: [] }];
  } else {
    for (const [name, left] of wantedOf('capability', capabilities[0] ?? NOTHING)) {
      yield [name, { ...group, capabilities: [left] }];
    }
  }
  for (const [name, left] of wantedOf('group', providerGroups)) {
    yield [name, { ...group, providerGroups: left }];
  }
  for (const [name, left] of wantedOf('tag', tags)) yield [name, { ...group, tags: left }];
  if (properties !== undefined) {
    const { properties: _, ...rest } = group;
    yield ['its properties', rest];
  }
}

const NOTHING: SetConstraint = { require: [], forbid: [], any: [] };

function* wantedOf(
  noun: string,
  constraint: SetConstraint,
): Generator<readonly [string, SetConstraint]> {
  const { require, any: oneOf } = constraint;
  for (const [at, value] of require.entries()) {
    yield [`${noun} ${value}`, { ...constraint, require: require.toSpliced(at, 1) }];
  }
  if (oneOf.length > 0) yield [`${noun} ${oneOf.join(' or ')}`, { ...constraint, any: [] }];
}

/** The request without a constraint that a funnel names. */
export const withoutConstraint = (
  request: PlaceRequest,
  group: string,
  constraint: string,
): PlaceRequest => {
  const { spread, ...rest } = request.spec;
  const spec: Omit<ClaimSpec, 'consumer' | 'acquireMs' | 'releaseMs'> =
    spread !== undefined && constraint === inKindWords(spread.groupKind) ? rest : request.spec;
  return { ...request, spec, leftOut: { group, constraint } };
};
