/** Windows of slices and whole machines, and how much of a fleet one question may look at. */
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { RequestGroup } from '../../../services/scheduler/domain/claim.ts';
import {
  createWindowBudget,
  findWindows,
  type WindowQuestion,
} from '../../../services/scheduler/domain/find-windows.ts';
import { findPlace, type PlaceRequest } from '../../../services/scheduler/domain/place.ts';
import type { ProviderIndex } from '../../../services/scheduler/domain/provider-index.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { atOnce, CPU, constraint, groupOf, MEMORY, stateWith, WHOLE } from './builders.ts';

type Held = {
  readonly cpu: number;
  readonly memory: number;
  readonly fromMs: number;
  readonly length: number;
};

const held: fc.Arbitrary<Held> = fc.record({
  cpu: fc.nat(3),
  memory: fc.nat(2),
  fromMs: fc.integer({ min: -4, max: 12 }),
  length: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constant(Infinity)),
});

/** Of nothing else than slices a machine is held whole. */
const host = fc.record({
  cpu: fc.integer({ min: 1, max: 8 }),
  memory: fc.integer({ min: 1, max: 6 }),
  holds: fc.array(held, { maxLength: 6 }),
  whole: fc.option(fc.integer({ min: 0, max: 10 }), { nil: undefined, freq: 3 }),
});

type Host = typeof host extends fc.Arbitrary<infer Value> ? Value : never;

const hostsOf = (hosts: readonly Host[]): ProviderIndex => {
  const { providers } = stateWith(
    hosts.map(({ cpu, memory }, at) => ({
      uid: `p${at}`,
      offers: { [CPU]: cpu, [MEMORY]: memory, [WHOLE]: 1 },
    })),
  );
  for (const [at, { holds, whole }] of hosts.entries()) {
    const all =
      whole === undefined
        ? holds.map(({ cpu, memory, ...rest }) => ({ ...rest, amounts: { cpu, memory } }))
        : [{ fromMs: whole, length: 3, amounts: undefined }];
    for (const [number, { amounts, fromMs, length }] of all.entries()) {
      const claimUid = `c${at}-${number}`;
      providers.setHold(`p${at}`, claimUid, {
        claimUid,
        amounts:
          amounts === undefined
            ? new Map([[WHOLE, 1]])
            : new Map([
                [CPU, amounts.cpu],
                [MEMORY, amounts.memory],
              ]),
        fromMs,
        toMs: fromMs + length,
        ...(fromMs > 0 && { later: true as const }),
      });
    }
  }
  return providers;
};

const LATEST = 20;

const requestOf = (groups: readonly RequestGroup[], count: number): PlaceRequest => ({
  spec: { groups, count, ranking: 'pack' },
  window: { fromMs: 0, toMs: 1 },
  seed: 'seed',
});

const windowsOf = (
  index: ProviderIndex,
  request: PlaceRequest,
  rest: Partial<WindowQuestion> = {},
) => {
  const question = { durationMs: 4, earliestMs: 0, latestMs: LATEST, limit: 100, ...rest };
  return atOnce(findWindows(index, request, question));
};

test('slices fit at exactly the begins at which they are placed', (t) => {
  const cases = fc.record({
    hosts: fc.array(host, { minLength: 1, maxLength: 4 }),
    cpu: fc.integer({ min: 1, max: 3 }),
    memory: fc.nat(2),
    count: fc.integer({ min: 1, max: 4 }),
    durationMs: fc.integer({ min: 1, max: 8 }),
    isApart: fc.boolean(),
  });
  let [fits, fails] = [0, 0];
  fc.assert(
    fc.property(cases, ({ hosts, cpu, memory, count, durationMs, isApart }) => {
      const index = hostsOf(hosts);
      const resources = { [CPU]: cpu, ...(memory > 0 && { [MEMORY]: memory }) };
      const group = groupOf(resources, isApart ? { isolateFrom: ['main'] } : {});
      const request = requestOf([group], count);
      const { windows, isComplete } = windowsOf(index, request, { durationMs });
      t.true(isComplete);
      for (let fromMs = 0; fromMs <= LATEST - durationMs; fromMs += 1) {
        const window = { fromMs, toMs: fromMs + durationMs };
        const isPlaced = findPlace(index, { ...request, window }).kind === 'placed';
        const isFound = windows.some((one) => one.beginMs <= fromMs && fromMs <= one.latestBeginMs);
        t.is(isFound, isPlaced, `begin ${fromMs}`);
        if (isFound) fits += 1;
        else fails += 1;
      }
    }),
    { numRuns: propertyRuns(150) },
  );
  const least = propertyRuns(50);
  t.true(fits > least && fails > least, `${fits} fit, ${fails} do not`);
});

/** Machines of each of which something is held later, at a time of its own. */
const bookedOf = (machines: number): ProviderIndex => {
  const { providers } = stateWith(
    Array.from({ length: machines }, (_, n) => ({
      uid: `p${n}`,
      offers: { [CPU]: 64, [WHOLE]: 1 },
      tags: n % 100 === 0 ? ['special'] : [],
    })),
  );
  for (let n = 0; n < machines; n += 1) {
    const claimUid = `c${n}`;
    const fromMs = 10 + n;
    const amounts = new Map([[CPU, 40]]);
    providers.setHold(`p${n}`, claimUid, { claimUid, amounts, fromMs, toMs: 100_000, later: true });
  }
  return providers;
};

const slices = (groups: number, least: number, rest: Partial<RequestGroup> = {}) =>
  Array.from({ length: groups }, (_, n) =>
    groupOf({ [CPU]: least + n }, { ...rest, name: `g${n}` }),
  );

const MACHINES = 2_000;
const LONG = { durationMs: 50_000, earliestMs: 0, latestMs: 300_000, limit: 5 };

/** What sweeping for the groups looked at. */
const looksFor = (t: ExecutionContext, groups: readonly RequestGroup[]): number => {
  const budget = createWindowBudget();
  const index = bookedOf(MACHINES);
  const { windows } = atOnce(findWindows(index, requestOf(groups, 1), LONG, budget));
  t.deepEqual(
    windows.map(({ beginMs }) => beginMs),
    [100_000],
  );
  return budget.sweeps.looks;
};

test('groups that want the same of the same providers are swept for once', (t) => {
  const once = looksFor(t, slices(1, 30));
  const same = slices(16, 30).map((group) => ({ ...group, resources: [{ ...slice, amount: 30 }] }));
  t.is(looksFor(t, same), once);
  t.true(looksFor(t, slices(4, 30)) > 3 * once);
});

const slice = { resourceType: CPU, amount: 1 };

test('providers that cannot be meant are not looked at', (t) => {
  const tags = constraint({ require: ['special'] });
  t.true(looksFor(t, slices(4, 30, { tags })) < MACHINES);
});

test('who looks at a large fleet for many groups pauses, and knows in the end that he does not', (t) => {
  const index = bookedOf(MACHINES);
  const steps = findWindows(index, requestOf(slices(16, 30), 1), LONG, {
    ...createWindowBudget(undefined, 300_000),
  });
  let pauses = 0;
  let step = steps.next();
  for (; step.done !== true; step = steps.next()) pauses += 1;
  t.true(pauses >= 1, `${pauses}`);
  if (!step.done) return;
  t.false(step.value.isComplete);
});

test('what was seen of a part of a fleet is told as far as it goes', (t) => {
  const index = bookedOf(MACHINES);
  const request = requestOf(slices(1, 20), 1);
  const budget = createWindowBudget(undefined, 1_000);
  const { windows, isComplete } = atOnce(findWindows(index, request, LONG, budget));
  t.false(isComplete);
  t.deepEqual(
    windows.map(({ beginMs, latestBeginMs }) => [beginMs, latestBeginMs]),
    [[0, 250_000]],
  );
});

test('a provider that goes while a search pauses is passed by', (t) => {
  const index = bookedOf(30_000);
  const steps = findWindows(index, requestOf([groupOf({ [CPU]: 30 })], 1), LONG);
  t.false(steps.next().done, 'it pauses');
  for (let n = 0; n < 30_000; n += 1) index.setHold(`p${n}`, `c${n}`, undefined);
  for (let n = 1; n < 30_000; n += 1) {
    index.setFacts(`p${n}`, undefined);
    index.setCapacity(`p${n}`, undefined);
  }
  const { windows } = atOnce(steps);
  t.true(windows.length > 0);
});
