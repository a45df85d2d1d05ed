import test from 'ava';
import {
  afterVerb,
  newProviderState,
  nextLife,
  type ProviderLife,
  type ProviderVerb,
  wantedOf,
} from '../../../services/machine/domain/provider-state.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';

const LIVES: readonly ProviderLife[] = ['enrolled', 'available', 'maintenance', 'quarantined'];

const state = (life: ProviderLife) => ({
  ...newProviderState('0197f0a0-0000-7000-8000-000000000001', 'lab'),
  state: life,
  before: 'available' as const,
});

/** What each verb leads to from each state, in the order of LIVES; "-" is refused. */
const verbs = test.macro<[ProviderVerb, readonly string[], { isHost?: boolean; waiting?: number }]>(
  {
    exec: (t, verb, expected, { isHost = false, waiting = 0 }) => {
      const asked = { name: 'p', opensItself: isHost, cleanings: waiting };
      const reached = LIVES.map((life) => {
        try {
          return nextLife(verb, state(life), asked);
        } catch (error) {
          t.true(isDomainError(error, 'failed_precondition', 'INVALID_STATE'));
          return '-';
        }
      });
      t.deepEqual(reached, [...expected]);
    },
    title: (_, verb, __, { isHost = false, waiting = 0 }) =>
      `${verb} on a ${isHost ? 'host with an agent' : 'server'} with ${waiting} cleanings due`,
  },
);

test(verbs, 'accept', ['available', 'available', '-', '-'], {});
test(verbs, 'accept', ['-', 'available', '-', '-'], { isHost: true });
test(verbs, 'maintain', ['maintenance', 'maintenance', 'maintenance', '-'], {});
test(verbs, 'quarantine', ['quarantined', 'quarantined', 'quarantined', 'quarantined'], {});
test(verbs, 'return', ['-', '-', 'available', 'available'], {});
test(verbs, 'return', ['enrolled', 'available', 'available', 'available'], { waiting: 1 });

test('a return leads to what it was before the first of two closings', (t) => {
  const said = { reason: 'x', principal: 'users/ann', nowMs: 1 };
  for (const life of ['enrolled', 'available'] as const) {
    const closed = afterVerb(state(life), 'maintenance', said);
    const twice = afterVerb(closed, 'quarantined', said);
    t.is(nextLife('return', twice, { name: 'p', opensItself: false, cleanings: 0 }), life);
  }
});

test('a provider is opened and closed at the scheduler as its state wants', (t) => {
  const view = (isVmHost: boolean) => ({
    uid: 'u',
    name: 'n',
    partition: 'lab',
    isVmHost,
    generation: 1,
    inventories: [],
    isMetal: !isVmHost,
    controller: null,
    bmcAgents: [],
    vmAgents: isVmHost ? ['a'] : [],
  });
  const wanted = (isVmHost: boolean, isServed: boolean, owner: string | null = null) =>
    LIVES.map((life) => wantedOf(view(isVmHost), { state: life, owner }, isServed));
  t.deepEqual(wanted(true, true), ['open', 'open', 'closed', 'closed']);
  t.deepEqual(wanted(true, false), ['leave', 'leave', 'closed', 'closed']);
  t.deepEqual(wanted(false, false), ['leave', 'open', 'closed', 'closed']);
  // Somebody began to open it and nobody knows whether he came through.
  t.deepEqual(wanted(false, false, 'dead'), ['closed', 'open', 'closed', 'closed']);
  t.is(wantedOf(view(true), undefined, true), 'open');
  t.is(wantedOf(view(false), undefined, true), 'leave');
});
