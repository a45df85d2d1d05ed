/** Decisions about an operation, one table row each: what is seen, when, and what follows. */
import test from 'ava';
import { nextStep } from '../../../services/machine/domain/advance.ts';
import type { MachineState } from '../../../services/machine/domain/lifecycle.ts';
import type { Machine, Observed, WantedPower } from '../../../services/machine/domain/machine.ts';
import { begin, finishStep, type Operation } from '../../../services/machine/domain/operation.ts';
import type { Decided, View } from '../../../services/machine/domain/view.ts';
import { holding, machine, observed, operation, view } from './fixtures.ts';

const MINUTE_MS = 60_000;
const BEGAN_MS = 1_000;

/** An operation whose steps before this one are done and which is at this one. */
const atStep = (verb: Operation['verb'], name: Operation['steps'][number]['name']): Operation => {
  let one = operation(verb);
  for (const step of one.steps) {
    if (step.name === name) return begin(one, name, BEGAN_MS);
    one = finishStep(one, step.name, { nowMs: BEGAN_MS, note: '' });
  }
  throw new Error(`no step ${name}`);
};

const booting = (seen: Partial<Observed> | null, more: Partial<Machine> = {}): Machine =>
  machine({
    state: 'preparing',
    holding,
    observed: seen === null ? null : observed(seen),
    ...more,
  });

const agent = { name: 'partitions/lab/agents/a1', sinceMs: 500, emulated: false } as const;
const up = { ...agent, state: 'up' } as const;
const down = { ...agent, state: 'down' } as const;
const assignment = { absent: false };

type Expected = {
  readonly kind: Decided['kind'];
  readonly state?: MachineState;
  readonly reason?: string;
  readonly note?: RegExp;
  readonly wakeMs?: number;
  readonly wanted?: WantedPower;
  readonly assignment?: 'put' | 'absent' | null;
  readonly done?: boolean;
};

const decides = test.macro<[Partial<View>, number, Expected]>((t, seen, nowMs, expected) => {
  const decided = nextStep(view(seen), nowMs);
  t.is(decided.kind, expected.kind);
  if (decided.kind === 'wait') {
    if (expected.note !== undefined) t.regex(decided.note, expected.note);
    if (expected.wakeMs !== undefined) t.is(decided.wakeMs, expected.wakeMs);
  }
  if (decided.kind !== 'record') return;
  const { machine: after, operation: ran } = decided;
  if (expected.state !== undefined) t.is(after.state, expected.state);
  if (expected.reason !== undefined) t.is(ran.failure?.reason, expected.reason);
  if (expected.wanted !== undefined) t.is(after.wanted.power, expected.wanted);
  if (expected.assignment !== undefined) t.is(decided.assignment, expected.assignment);
  if (expected.done !== undefined) t.is(ran.endMs !== null, expected.done);
  if (ran.endMs !== null) t.is(after.operationUid, null);
});

const claiming = { operation: atStep('create', 'claim') };
test('a claim is asked for', decides, claiming, 2_000, { kind: 'call' });
test(
  'a claim that is held is not asked for again',
  decides,
  { ...claiming, machine: machine({ holding }) },
  2_000,
  { kind: 'record', state: 'preparing' },
);
test(
  'a boot waits for the agent',
  decides,
  { operation: atStep('create', 'boot'), machine: booting(null), assignment, agent: up },
  2_000,
  { kind: 'wait', wakeMs: BEGAN_MS + 5 * MINUTE_MS },
);
test(
  'a boot on an emulated processor may take six times as long',
  decides,
  {
    operation: atStep('create', 'boot'),
    machine: booting(null),
    assignment,
    agent: { ...up, emulated: true },
  },
  2_000,
  { kind: 'wait', wakeMs: BEGAN_MS + 30 * MINUTE_MS },
);
test(
  'a boot timeout of the tenant is taken as it is',
  decides,
  {
    operation: atStep('create', 'boot'),
    machine: booting(
      { emulated: true, generation: 0 },
      {
        spec: { ...machine().spec, bootTimeoutMs: 7_000 },
      },
    ),
    assignment,
    agent: up,
  },
  2_000,
  { kind: 'wait', wakeMs: BEGAN_MS + 7_000 },
);
test(
  'a boot at an agent that is down says so',
  decides,
  { operation: atStep('create', 'boot'), machine: booting(null), assignment, agent: down },
  2_000,
  { kind: 'wait', note: /agents\/a1 is down since 1970-01-01T00:00:00.500Z/ },
);
test(
  'what the agent saw of an earlier generation says nothing about this boot',
  decides,
  {
    operation: atStep('start', 'boot'),
    machine: booting({ generation: 3 }, { generation: 4 }),
    assignment,
    agent: up,
  },
  2_000,
  { kind: 'wait' },
);
test(
  'a guest that is on boots',
  decides,
  {
    operation: atStep('create', 'boot'),
    machine: booting({ ready: false }),
    assignment,
    agent: up,
  },
  2_000,
  { kind: 'record', state: 'booting' },
);
test(
  'a guest that is on with an earlier boot is not this boot',
  decides,
  {
    operation: atStep('reset', 'boot'),
    machine: booting(
      { bootGeneration: 1 },
      {
        wanted: { power: 'on', bootGeneration: 2, forceAfterMs: null },
      },
    ),
    assignment,
    agent: up,
  },
  2_000,
  { kind: 'wait' },
);
test(
  'a guest that is ready makes the machine active',
  decides,
  {
    operation: atStep('create', 'ready'),
    machine: booting({}, { state: 'booting' }),
    assignment,
    agent: up,
  },
  2_000,
  { kind: 'record', state: 'active', done: false },
);
test(
  'a boot that is late fails and leaves the guest wanted on',
  decides,
  {
    operation: atStep('create', 'ready'),
    machine: booting({ ready: false }, { state: 'booting' }),
    assignment,
    agent: up,
  },
  BEGAN_MS + 5 * MINUTE_MS,
  { kind: 'record', state: 'boot_failed', reason: 'NOT_READY_IN_TIME', wanted: 'on', done: true },
);
test(
  'a guest that powers itself off before it is ready ends the boot and is wanted off',
  decides,
  {
    operation: atStep('create', 'ready'),
    machine: booting({ ready: false, power: 'off', guestOff: true }, { state: 'booting' }),
    assignment,
    agent: up,
  },
  2_000,
  {
    kind: 'record',
    state: 'boot_failed',
    reason: 'START_FAILED',
    wanted: 'off',
    assignment: 'put',
  },
);

const trouble = (reason: string, retryMs: number | null = null) => ({
  power: 'off' as const,
  bootGeneration: 0,
  ready: false,
  problem: { reason, message: 'it says why', sinceMs: 1_500, retryMs },
});
test(
  'a file with a wrong checksum ends the boot at once',
  decides,
  {
    operation: atStep('create', 'boot'),
    machine: booting(trouble('CHECKSUM_MISMATCH')),
    assignment,
    agent: up,
  },
  2_000,
  { kind: 'record', state: 'prepare_failed', reason: 'CHECKSUM_MISMATCH', done: true },
);
test(
  'a problem at the agent is borne for a while',
  decides,
  {
    operation: atStep('create', 'boot'),
    machine: booting(trouble('START_FAILED')),
    assignment,
    agent: up,
  },
  2_000,
  { kind: 'wait', note: /it says why/, wakeMs: BEGAN_MS + 30_000 },
);
test(
  'a problem at the agent that lasts ends the boot',
  decides,
  {
    operation: atStep('create', 'boot'),
    machine: booting(trouble('START_FAILED')),
    assignment,
    agent: up,
  },
  BEGAN_MS + 30_000,
  { kind: 'record', state: 'boot_failed', reason: 'START_FAILED', done: true },
);
test(
  'a problem that the agent tries to mend is waited for',
  decides,
  {
    operation: atStep('create', 'boot'),
    machine: booting(trouble('START_FAILED', 90_000)),
    assignment,
    agent: up,
  },
  BEGAN_MS + 40_000,
  { kind: 'wait' },
);
test(
  'a cancelled boot powers the guest off',
  decides,
  {
    operation: { ...atStep('create', 'ready'), cancelRequested: true },
    machine: booting({ ready: false }, { state: 'booting' }),
    assignment,
    agent: up,
  },
  2_000,
  { kind: 'record', state: 'stopping', reason: 'CANCELLED', wanted: 'off', assignment: 'put' },
);

const stopping = (seen: Partial<Observed>) =>
  machine({
    state: 'stopping',
    holding,
    generation: 2,
    wanted: { power: 'off', bootGeneration: 1, forceAfterMs: 30_000 },
    observed: observed({ generation: 2, ...seen }),
  });
test(
  'a stop ends when the power is seen off',
  decides,
  {
    operation: atStep('stop', 'power-off'),
    machine: stopping({ power: 'off' }),
    assignment,
    agent: up,
  },
  2_000,
  { kind: 'record', state: 'stopped', done: true },
);
test(
  'a stop that is late stays wanted',
  decides,
  { operation: atStep('stop', 'power-off'), machine: stopping({}), assignment, agent: down },
  BEGAN_MS + 150_000,
  { kind: 'record', state: 'stopping', reason: 'NO_AGENT', wanted: 'off', assignment: null },
);
test(
  'a shutdown that is late is taken back, and the machine is what it was',
  decides,
  { operation: atStep('shutdown', 'power-off'), machine: stopping({}), assignment, agent: up },
  BEGAN_MS + 180_000,
  {
    kind: 'record',
    state: 'active',
    reason: 'DEADLINE_EXCEEDED',
    wanted: 'on',
    assignment: 'put',
    done: true,
  },
);
test(
  'a machine that no agent has is stopped at once',
  decides,
  { operation: atStep('stop', 'power-off'), machine: stopping({}) },
  2_000,
  { kind: 'record', state: 'stopped', done: true },
);

const leaving = (more: Partial<Machine> = {}) => machine({ state: 'releasing', holding, ...more });
test(
  'a deletion tells the agent first',
  decides,
  { operation: atStep('delete', 'detach'), machine: leaving(), assignment, agent: up },
  2_000,
  { kind: 'record', assignment: 'absent', done: false },
);
test('what tells an agent to destroy is newer than what it holds', (t) => {
  const before = leaving({ generation: 4 });
  const seen = { operation: atStep('delete', 'detach'), machine: before, assignment, agent: up };
  const decided = nextStep(view(seen), 2_000);
  t.is(decided.kind === 'record' ? decided.machine.generation : 0, 5);
});
test(
  'a deletion waits for an agent that is down',
  decides,
  {
    operation: atStep('delete', 'destroy'),
    machine: leaving(),
    assignment: { absent: true },
    agent: down,
  },
  2_000,
  { kind: 'wait', note: /is down since/ },
);
test(
  'a deletion does not wait for an agent that never came',
  decides,
  {
    operation: atStep('delete', 'destroy'),
    machine: leaving(),
    assignment: { absent: true },
    agent: { ...agent, state: 'unknown' },
  },
  2_000,
  { kind: 'record', done: false },
);
test(
  'a deletion that waits too long fails visibly and can be repeated',
  decides,
  {
    operation: atStep('delete', 'destroy'),
    machine: leaving(),
    assignment: { absent: true },
    agent: down,
  },
  BEGAN_MS + 30 * MINUTE_MS,
  { kind: 'record', state: 'release_failed', reason: 'NO_AGENT', done: true },
);
test(
  'an own claim is released',
  decides,
  { operation: atStep('delete', 'release'), machine: leaving() },
  2_000,
  { kind: 'call' },
);
test(
  'a claim that was given stays',
  decides,
  {
    operation: atStep('delete', 'release'),
    machine: leaving({ holding: { ...holding, owned: false } }),
  },
  2_000,
  { kind: 'record' },
);
test(
  'a claim that may have been made is looked for',
  decides,
  {
    operation: atStep('delete', 'release'),
    machine: leaving({ holding: null }),
    claimMayExist: true,
  },
  2_000,
  { kind: 'call' },
);
