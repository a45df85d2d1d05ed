/** Makes a claim on a place that somebody proposes; nothing else is taken instead. */
import { aborted } from '../../runtime/errors.ts';
import type { Command, Decision } from './command.ts';
import type { Moment } from './decide.ts';
import { grant, prepare } from './decide-create.ts';
import { judge } from './judge.ts';
import type { PartitionState } from './partition-state.ts';

const PROBLEMS_MAX = 8;

/** Errors: aborted CANDIDATE_STALE with what is wrong, beside those of a new claim. */
export const decideExecute = (
  state: PartitionState,
  { draft, origin, candidate, verb }: Extract<Command, { verb: 'execute' }>,
  moment: Moment,
): Decision => {
  const prepared = prepare(state, { draft, origin }, moment);
  const { spec, window } = prepared;
  const { placements } = candidate;
  const providers = candidate.providers.map((uid) => ({
    uid,
    name: state.providers.factsOf(uid)?.name ?? '',
  }));
  const unknown = providers.filter(({ name }) => name === '');
  const problems =
    unknown.length > 0
      ? unknown.map(({ uid }) => `there is no provider "${uid}"`)
      : judge(
          state.providers,
          { spec, window, seed: spec.seed ?? origin.requestId },
          {
            providers,
            placements,
          },
        );
  if (problems.length === 0)
    return grant(state, { ...prepared, verb, providers, placements }, moment);
  const told = problems.slice(0, PROBLEMS_MAX).join('; ');
  throw aborted('CANDIDATE_STALE', `The candidate does not meet the request now: ${told}`, {
    metadata: { problems: told },
  });
};
