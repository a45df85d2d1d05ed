import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { isDrainedHost } from '../../../services/machine/domain/drained.ts';
import { deadlineOf } from '../../../services/machine/domain/provider-deadline.ts';
import {
  LIVES as ALL,
  type DecidedLife,
  type ProviderVerb,
  STABLE,
  TRANSITIONS,
} from '../../../services/machine/domain/provider-lifecycle.ts';
import {
  afterVerb,
  inspectsNow,
  newProviderState,
  nextLife,
  shownLife,
  wantedOf,
} from '../../../services/machine/domain/provider-state.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';

const LIVES: readonly DecidedLife[] = [
  'enrolled',
  'inspecting',
  'inspect_failed',
  'available',
  'maintenance',
  'quarantined',
  'retired',
];

const state = (life: DecidedLife) => ({
  ...newProviderState('0197f0a0-0000-7000-8000-000000000001', 'lab'),
  state: life,
  before: 'available' as const,
});

type Circumstances = {
  readonly isHost?: boolean;
  readonly waiting?: 'releasing' | 'cleaning' | 'clean_failed';
  readonly isControlled?: boolean;
};

const askedIn = ({ isHost = false, waiting, isControlled = true }: Circumstances) => ({
  name: 'p',
  opensItself: isHost,
  isControlled,
  cleanings: waiting === undefined ? [] : [{ life: waiting }],
});

/** What each verb leads to from each state, in the order of LIVES; "-" is refused. */
const verbs = test.macro<[ProviderVerb, string, Circumstances]>({
  exec: (t, verb, expected, circumstances) => {
    const reached = LIVES.map((life) => {
      try {
        return nextLife(verb, state(life), askedIn(circumstances));
      } catch (error) {
        t.true(isDomainError(error, 'failed_precondition'));
        return '-';
      }
    });
    t.deepEqual(reached, expected.split(' '));
  },
  title: (_, verb, __, { isHost = false, waiting = 'nothing', isControlled = true }) =>
    `${verb} on a ${isHost ? 'host' : 'server'}${isControlled ? '' : ' without controller'}, ` +
    `${waiting} due`,
});

const A = 'available';
const M = 'maintenance';
const Q = 'quarantined';
const R = 'retired';
test(verbs, 'accept', `${A} ${A} ${A} ${A} - - -`, {});
test(verbs, 'accept', `- - - ${A} - - -`, { isHost: true });
test(verbs, 'inspect', `inspecting inspecting inspecting ${A} - - -`, {});
test(verbs, 'inspect', '- - - - - - -', { isControlled: false });
test(verbs, 'maintain', `${M} ${M} ${M} ${M} ${M} - -`, {});
test(verbs, 'quarantine', `${Q} ${Q} ${Q} ${Q} ${Q} ${Q} ${Q}`, {});
test(verbs, 'quarantine', `${Q} ${Q} ${Q} ${Q} ${Q} ${Q} ${Q}`, { waiting: 'clean_failed' });
test(verbs, 'retire', `${R} ${R} ${R} ${R} ${R} ${R} ${R}`, {});
test(verbs, 'adopt', `${A} ${A} ${A} ${A} ${A} ${A} ${A}`, { waiting: 'clean_failed' });
test(verbs, 'return', `- - - - ${A} ${A} ${A}`, {});
test(verbs, 'return', `enrolled inspecting inspect_failed ${A} ${A} ${A} ${A}`, {
  waiting: 'cleaning',
});
test(verbs, 'clean', `- - - - - - -`, { waiting: 'cleaning' });
test(verbs, 'clean', `enrolled inspecting inspect_failed ${A} ${M} ${Q} ${R}`, {
  waiting: 'clean_failed',
});

const README = readFileSync(
  join(import.meta.dirname, '../../../services/machine/README.md'),
  'utf8',
);
const SECTION = README.slice(README.indexOf('## Providers')).split('\n## ')[0] ?? '';

test('the picture of the life of a provider has the edges of the table and no others', (t) => {
  const drawn = [...SECTION.matchAll(/^ {2}(\w+) --> (\w+): (\w+)$/gm)].map(
    ([, from, to, event]) => `${from} ${event} ${to}`,
  );
  const table = Object.entries(TRANSITIONS).flatMap(([from, edges]) =>
    Object.entries<readonly string[]>(edges).flatMap(([event, targets]) =>
      // What is so in every state stands once, in words.
      ['quarantine', 'retire', 'adopt'].includes(event)
        ? []
        : targets.map((to) => `${from} ${event} ${to}`),
    ),
  );
  t.deepEqual(drawn.toSorted(), table.toSorted());
});

test('the README has a sentence for every state of a provider', (t) => {
  for (const life of ALL) t.regex(SECTION, new RegExp(`^\\| ${life} +\\|`, 'm'), life);
});

test('from every state an operator reaches quarantine, retirement and the pool', (t) => {
  for (const life of ALL) {
    t.deepEqual([...TRANSITIONS[life].quarantine], ['quarantined'], life);
    t.deepEqual([...TRANSITIONS[life].adopt], ['available'], life);
    t.deepEqual([...TRANSITIONS[life].retire], ['retired'], life);
  }
});

test('every state that does not stay has a deadline', (t) => {
  const seen = {
    known: { sinceMs: 1_000 },
    cleanings: [
      { life: 'releasing' as const, lifeMs: 2_000 },
      { life: 'cleaning' as const, lifeMs: 3_000 },
    ],
    cleaningMs: 60_000,
  };
  for (const life of ALL) t.is(deadlineOf(life, seen) === undefined, STABLE.has(life), life);
  t.is(deadlineOf('cleaning', { ...seen, cleaningMs: undefined }), undefined, 'an operator says');
});

test('what an operator said goes before what the claims say, and trouble before progress', (t) => {
  const failed = { life: 'clean_failed' } as const;
  t.is(shownLife('maintenance', [failed], true), 'maintenance');
  t.is(shownLife('available', [{ life: 'cleaning' }, failed], true), 'clean_failed');
  t.is(shownLife('available', [{ life: 'releasing' }], true), 'releasing');
  t.is(shownLife('available', [], true), 'in_use');
  t.is(shownLife('inspecting', [], true), 'inspecting');
});

test('a return leads to what it was before the first of two closings', (t) => {
  const said = { reason: 'x', principal: 'users/ann', nowMs: 1 };
  for (const life of ['enrolled', 'available'] as const) {
    const closed = afterVerb(state(life), 'maintenance', said);
    const twice = afterVerb(closed, 'quarantined', said);
    t.is(nextLife('return', twice, askedIn({})), life);
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
    isNeverProvisioned: false,
    bmcAgents: [],
    refusesCredentials: false,
    vmAgents: isVmHost ? ['a'] : [],
  });
  const wanted = (isVmHost: boolean, isServed: boolean, owner: string | null = null) =>
    LIVES.map((life) =>
      wantedOf(view(isVmHost), { state: life, owner }, { isServed, isDrained: false }),
    );
  const words = (text: string) => text.split(' ');
  const closed = 'closed closed closed';
  t.deepEqual(wanted(true, true), words(`open leave leave open ${closed}`));
  t.deepEqual(wanted(true, false), words(`leave leave leave leave ${closed}`));
  t.deepEqual(wanted(false, false), words(`leave leave leave open ${closed}`));
  // Somebody began to open it and nobody knows whether he came through.
  t.deepEqual(wanted(false, false, 'dead'), words(`closed closed closed open ${closed}`));
  const served = { isServed: true, isDrained: false };
  t.is(wantedOf(view(true), undefined, served), 'open');
  t.is(wantedOf(view(false), undefined, served), 'leave');
  const drained = LIVES.map((life) =>
    wantedOf(view(true), { state: life, owner: null }, { isServed: true, isDrained: true }),
  );
  t.deepEqual(drained, words(`leave leave leave closed ${closed}`));
});

test('a host is drained when all are drained who have ever served it', (t) => {
  const host = { isVmHost: true, vmAgents: ['A', 'b'] };
  const among = (...agents: readonly (readonly [string, boolean?])[]) =>
    isDrainedHost(
      host,
      new Map(
        agents.map(([key, isDrained]) => [key, isDrained === undefined ? {} : { isDrained }]),
      ),
    );
  t.false(among());
  t.false(among(['a'], ['b', true]));
  t.false(among(['a', false], ['b', true]));
  t.true(among(['a', true]), 'b has never connected');
  t.true(among(['a', true], ['b', true]));
  t.false(isDrainedHost({ ...host, isVmHost: false }, new Map([['a', { isDrained: true }]])));
});

test('a server with a controller is inspected when it is new, and again when its time comes', (t) => {
  const view = {
    uid: 'u',
    name: 'n',
    partition: 'lab',
    isVmHost: false,
    isMetal: true,
    generation: 1,
    inventories: [],
    controller: {
      type: 'redfish',
      ...{ address: 'a', ipmiAddress: '', secret: '', certificateSha256: '' },
    },
    isNeverProvisioned: false,
    bmcAgents: ['b'],
    refusesCredentials: false,
    vmAgents: [],
  } as const;
  t.true(inspectsNow(view, undefined, 5));
  t.false(inspectsNow({ ...view, bmcAgents: [] }, undefined, 5));
  t.false(inspectsNow({ ...view, isMetal: false }, undefined, 5));
  const failed = (retryMs: number | null) => ({
    state: 'inspect_failed' as const,
    problem: { reason: 'BMC_TIMEOUT', message: '', sinceMs: 0, retryMs },
  });
  t.deepEqual(
    [failed(null), failed(6), failed(5)].map((known) => inspectsNow(view, known, 5)),
    [false, false, true],
  );
  t.false(inspectsNow(view, { state: 'inspecting', problem: null }, 5));
});
