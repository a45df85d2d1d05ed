/** The smaller rules of services/machine/domain. */
import test from 'ava';
import { resolveBoot } from '../../../services/machine/domain/boot-source.ts';
import { offersOf, type ProviderView } from '../../../services/machine/domain/capacity.ts';
import {
  amountsOf,
  type ClaimView,
  choosePlace,
  judgeClaim,
} from '../../../services/machine/domain/claim.ts';
import { differences, type Greeting, greet } from '../../../services/machine/domain/hello.ts';
import type { MachineState } from '../../../services/machine/domain/lifecycle.ts';
import type { Machine, Observed } from '../../../services/machine/domain/machine.ts';
import { applyObservation, bootIsLate } from '../../../services/machine/domain/observe.ts';
import { decide } from '../../../services/machine/domain/verbs.ts';
import { hostnameOf } from '../../../services/machine/domain/virtual-machine.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';
import {
  CLAIM_UID,
  holding,
  image,
  MACHINE_UID,
  machine,
  observed,
  operation,
  PROVIDER_UID,
  spec,
} from './fixtures.ts';

const NOW_MS = 1_000_000;

type Settled = { readonly state: MachineState; readonly rewrite?: boolean; readonly says?: string };

const settles = test.macro<[Partial<Machine>, Partial<Observed>, Settled]>(
  (t, before, word, expected) => {
    const seen = applyObservation(machine({ holding, ...before }), observed(word), NOW_MS);
    t.is(seen.machine.state, expected.state);
    t.is(seen.rewrite, expected.rewrite ?? false);
    t.is(seen.events[0]?.type, expected.says);
  },
);

test(
  'a guest that powers itself off is stopped and wanted off',
  settles,
  { state: 'active' },
  { power: 'off', guestOff: true, ready: false },
  { state: 'stopped', rewrite: true, says: 'machine.stopped' },
);
test(
  'the same of an earlier boot says nothing',
  settles,
  { state: 'active', wanted: { power: 'on', bootGeneration: 2, forceAfterMs: null } },
  { power: 'off', guestOff: true, ready: false, bootGeneration: 1 },
  { state: 'booting', says: 'machine.power_lost' },
);
test(
  'a guest whose host went down boots again',
  settles,
  { state: 'active' },
  { power: 'off', ready: false },
  { state: 'booting', says: 'machine.power_lost' },
);
test(
  'a guest that is ready after all is active',
  settles,
  { state: 'boot_failed' },
  {},
  { state: 'active', says: 'machine.active' },
);
test(
  'a guest that reboots by itself is booting until it is ready again',
  settles,
  { state: 'active' },
  { ready: false },
  { state: 'booting', says: 'machine.rebooting' },
);
test(
  'a guest that is seen on while it boots changes nothing',
  settles,
  { state: 'booting' },
  { ready: false },
  { state: 'booting' },
);
test(
  'a stop that was late is stopped when the agent is back',
  settles,
  { state: 'stopping', wanted: { power: 'off', bootGeneration: 1, forceAfterMs: 0 } },
  { power: 'off', ready: false },
  { state: 'stopped', says: 'machine.stopped' },
);
test(
  'while an operation is in progress only the facts are kept',
  settles,
  { state: 'active', operationUid: 'x' },
  { power: 'off', guestOff: true },
  { state: 'active' },
);
test(
  'what was seen of an earlier generation moves nothing',
  settles,
  { state: 'active', generation: 5 },
  { generation: 4, power: 'off', guestOff: true },
  { state: 'active' },
);

test('an older word does not replace a newer one', (t) => {
  const known = machine({ state: 'active', observed: observed({ generation: 4, timeMs: 9_000 }) });
  for (const word of [{ generation: 3 }, { generation: 4, timeMs: 8_000 }, { incarnation: 0 }]) {
    const older = observed({ power: 'off', timeMs: 9_500, generation: 4, ...word });
    t.is(applyObservation(known, older, NOW_MS).machine, known);
  }
});

test('a boot without an operation has a limit too', (t) => {
  const booting = machine({ state: 'booting', stateMs: 10_000 });
  t.is(bootIsLate(booting, 300_000, 309_999), undefined);
  t.is(bootIsLate(booting, 300_000, 310_000)?.machine.state, 'boot_failed');
  t.is(bootIsLate({ ...booting, operationUid: 'x' }, 300_000, 999_999), undefined);
});

test('delete takes over everything and asks for what is being deleted once', (t) => {
  const running = operation('delete');
  const leaving = machine({ state: 'releasing', operationUid: running.uid });
  t.is(decide(leaving, running, { verb: 'delete', nowMs: NOW_MS }).kind, 'running');
  for (const verb of ['create', 'start', 'reset', 'stop', 'shutdown', 'pause', 'resume'] as const) {
    const other = operation(verb);
    const decided = decide(machine({ state: 'booting' }), other, { verb: 'delete', nowMs: NOW_MS });
    t.is(decided.kind === 'accepted' ? decided.preempted : undefined, other);
  }
});

test('a verb in the wrong state says which states are right', (t) => {
  const error = t.throws(() =>
    decide(machine({ state: 'stopped' }), undefined, { verb: 'reset', nowMs: NOW_MS }),
  );
  if (!isDomainError(error)) throw error;
  t.deepEqual(error.extras.invalidState, {
    state: 'STOPPED',
    allowed: ['BOOTING', 'ACTIVE', 'PAUSED', 'BOOT_FAILED'],
  });
});

test('a start boots anew, a resume does not', (t) => {
  const start = decide(machine({ state: 'stopped' }), undefined, { verb: 'start', nowMs: NOW_MS });
  const resume = decide(machine({ state: 'paused' }), undefined, { verb: 'resume', nowMs: NOW_MS });
  t.is(start.kind === 'accepted' ? start.machine.wanted.bootGeneration : 0, 2);
  t.is(resume.kind === 'accepted' ? resume.machine.wanted.bootGeneration : 0, 1);
});

const held = (uid: string, generation: number, more: object = {}) => ({
  uid,
  incarnation: 1,
  generation,
  digest: 'd',
  ...more,
});

test('a Hello tells what is lacking and what nobody wants', (t) => {
  const wanted = [held('same', 3), held('newer', 4), held('new', 1), held('restored', 3)];
  const has = [held('same', 3), held('newer', 3), held('stray', 9)];
  const { send, orphans } = differences([...has, held('restored', 3, { incarnation: 0 })], wanted);
  t.deepEqual(
    send.map((one) => one.uid),
    ['newer', 'new', 'restored'],
  );
  t.deepEqual(orphans, ['stray']);
});

const greets = (instances: readonly (readonly [string, number])[]) => {
  let greetings: readonly Greeting[] = [];
  return instances.map(([instance, atMs]) => {
    const answer = greet(greetings, instance, atMs);
    greetings = answer.greetings;
    return answer.kind;
  });
};

test('two instances that alternate are quarantined, restarts and redials are not', (t) => {
  const seconds = (...ids: string[]) => ids.map((id, at) => [id, at * 1_000] as const);
  t.deepEqual(greets(seconds('a', 'b', 'a', 'b')).at(-1), 'quarantine');
  t.deepEqual(greets(seconds('a', 'a', 'a', 'a', 'a')).at(-1), 'welcome');
  t.deepEqual(greets(seconds('a', 'b', 'c', 'd', 'e')).at(-1), 'welcome');
  t.deepEqual(greets(seconds('a', 'b', 'b', 'c', 'c')).at(-1), 'welcome');
  const slowly = ['a', 'b', 'a', 'b'].map((id, at) => [id, at * 100_000] as const);
  t.deepEqual(greets(slowly).at(-1), 'welcome');
});

const claim = (more: Partial<ClaimView> = {}): ClaimView => ({
  name: holding.claim,
  uid: CLAIM_UID,
  state: 'active',
  consumerType: 'runm.machine',
  consumerUid: MACHINE_UID,
  createMs: 0,
  places: [0, 1].flatMap((index) =>
    [
      ['runm.cpu.shared', 2],
      ['runm.memory', 1024 ** 3],
    ].map(([resourceType, amount]) => ({
      group: 'main',
      index,
      provider: 'partitions/lab/providers/host-1',
      providerUid: PROVIDER_UID,
      resourceType: String(resourceType),
      amount: Number(amount),
      finished: false,
    })),
  ),
  ...more,
});

test('of a given claim the first free place that is large enough is taken', (t) => {
  const choose = (more: Partial<ClaimView>, used: number[] = [], mine = machine()) => {
    const places = used.map((index) => ({ group: 'main', index }));
    const choice = choosePlace(claim(more), mine, places);
    return choice.kind === 'place' ? choice.holding.index : choice.why;
  };
  t.is(choose({}), 0);
  t.is(choose({}, [0]), 1);
  t.regex(String(choose({}, [0, 1])), /no place left/);
  t.regex(
    String(choose({}, [], machine({ spec: spec({ cpus: 4 }) }))),
    /too little runm.cpu.shared/,
  );
  t.regex(String(choose({ state: 'releasing' })), /is releasing, not active/);
  t.regex(String(choose({ consumerUid: 'another' })), /another consumer/);
});

test('a claim and its machine end together', (t) => {
  const living = [{ uid: MACHINE_UID, state: 'active' as const }];
  const gone = [{ uid: MACHINE_UID, state: 'gone' as const }];
  t.is(judgeClaim(claim(), living, NOW_MS).kind, 'leave');
  t.is(judgeClaim(claim({ state: 'releasing' }), living, NOW_MS).kind, 'delete-machines');
  t.deepEqual(judgeClaim(claim({ state: 'releasing' }), gone, NOW_MS), {
    kind: 'finish',
    providerUids: [PROVIDER_UID],
  });
  t.is(judgeClaim(claim(), gone, NOW_MS).kind, 'release');
  t.is(judgeClaim(claim({ createMs: NOW_MS - 1_000 }), [], NOW_MS).kind, 'leave');
  const given = claim({ name: 'partitions/lab/projects/red/claims/mine' });
  t.is(judgeClaim(given, gone, NOW_MS).kind, 'leave');
});

test('a disk is claimed in whole MiB', (t) => {
  const resolved = { ...machine().resolved, diskBytes: 1024 ** 2 + 1 };
  t.deepEqual(amountsOf(machine({ resolved })).at(-1), {
    resourceType: 'runm.storage.block',
    amount: 2 * 1024 ** 2,
  });
});

test('what a provider offers is after reserve and ratio, exact for large amounts', (t) => {
  const provider: ProviderView = {
    uid: PROVIDER_UID,
    name: 'partitions/lab/providers/host-1',
    partition: 'lab',
    isVmHost: true,
    generation: 1,
    isMetal: false,
    controller: null,
    isNeverProvisioned: false,
    bmcAgents: [],
    refusesCredentials: false,
    vmAgents: [],
    inventories: [
      {
        resourceType: 'runm.memory',
        total: 2 ** 50 + 3,
        reserved: 2,
        minUnit: 0,
        maxUnit: 0,
        stepSize: 0,
        ratioMilli: 1500,
      },
    ],
  };
  t.deepEqual(offersOf(provider), [
    {
      resourceType: 'runm.memory',
      usable: Number((BigInt(2 ** 50 + 1) * 1500n) / 1000n),
      minUnit: 1,
      maxUnit: 2 ** 50 + 3,
      stepSize: 1,
    },
  ]);
});

test('an image says from what and until when a machine boots', (t) => {
  const boots = spec({ boot: { kind: 'image', image: 'images/lab-linux' } });
  const resolved = resolveBoot(boots, image());
  t.like(resolved, { readyWhen: { kind: 'phone_home' } });
  t.like(resolved.boot, { kind: 'kernel', commandLine: 'console=ttyS0' });
  t.throws(() => resolveBoot(boots, image({ state: 'importing' })), { message: /is IMPORTING/ });
  const media = spec({ boot: { kind: 'media', image: 'images/lab-linux' } });
  t.throws(() => resolveBoot(media, image()), { message: /needs an image of format ISO/ });
  t.is(resolveBoot(spec({ boot: null }), undefined).boot.kind, 'none');
});

test('a host name holds what host names may hold', (t) => {
  t.is(hostnameOf('Web_1.lab'), 'web-1-lab');
});
