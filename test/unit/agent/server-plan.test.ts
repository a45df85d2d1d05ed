import test from 'ava';
import fc from 'fast-check';
import type { PowerReading } from '../../../services/agent/bmc-port.ts';
import {
  nextLookMs,
  OFF_BELIEVED_MS,
  planServer,
  type ServerMemory,
  type ServerStep,
  type WantedServer,
} from '../../../services/agent/domain/server-plan.ts';

const NEW: ServerMemory = {
  bootGeneration: 0n,
  deviceGeneration: 0n,
  sentGeneration: 0n,
  switchedOff: false,
};
const BOOTED: ServerMemory = {
  bootGeneration: 1n,
  deviceGeneration: 1n,
  sentGeneration: 1n,
  switchedOff: false,
};
const ON: WantedServer = { power: 'on', bootGeneration: 1n, forceAfterMs: 'never' };
const NETWORK: WantedServer = { ...ON, boot: { device: 'network', persistent: false } };
const off = (forceAfterMs: WantedServer['forceAfterMs']): WantedServer => ({
  power: 'off',
  bootGeneration: 1n,
  forceAfterMs,
});

type Row = {
  readonly wanted: WantedServer;
  readonly seen: PowerReading;
  readonly memory: ServerMemory;
  readonly nowMs?: number;
};

const plans = test.macro({
  exec: (t, { wanted, seen, memory, nowMs = 100_000 }: Row, expected: ServerStep['do']) => {
    t.is(planServer(wanted, seen, { ...memory, nowMs }).do, expected);
  },
  title: (name) => `a server ${name}`,
});

const row = (wanted: WantedServer, seen: PowerReading, memory: ServerMemory): Row => ({
  wanted,
  seen,
  memory,
});

test('that is off and wanted on is powered on', plans, row(ON, 'off', NEW), 'power_on');
test(
  'gets its boot device before it is powered on',
  plans,
  row(NETWORK, 'off', NEW),
  'set_boot_device',
);
test(
  'whose boot device is set is powered on',
  plans,
  row(NETWORK, 'off', { ...NEW, deviceGeneration: 1n }),
  'power_on',
);
test(
  'that runs something else is switched off for its boot',
  plans,
  row(NETWORK, 'on', NEW),
  'force_off',
);
test(
  'that came on after power-on was sent has booted',
  plans,
  row(ON, 'on', { ...NEW, sentGeneration: 1n }),
  'note_booted',
);
test(
  'that is still off after power-on was sent is powered on again',
  plans,
  row(NETWORK, 'off', { ...NEW, deviceGeneration: 1n, sentGeneration: 1n }),
  'power_on',
);
test('that runs its boot is left alone', plans, row(ON, 'on', BOOTED), 'nothing');
test('that is seen off once is not believed', plans, row(ON, 'off', BOOTED), 'nothing');
test(
  'that stays off was switched off from inside',
  plans,
  row(ON, 'off', { ...BOOTED, offSinceMs: 100_000 - OFF_BELIEVED_MS }),
  'note_switched_off',
);
test(
  'that was switched off from inside stays off',
  plans,
  row(ON, 'off', { ...BOOTED, switchedOff: true }),
  'nothing',
);
test(
  'that was switched on by hand is noted',
  plans,
  row(ON, 'on', { ...BOOTED, switchedOff: true }),
  'note_switched_on',
);
test(
  'that was switched off from inside boots when the number grows',
  plans,
  row({ ...ON, bootGeneration: 2n }, 'off', { ...BOOTED, switchedOff: true }),
  'power_on',
);
test('that is wanted off is asked first', plans, row(off(60_000), 'on', BOOTED), 'ask_off');
test(
  'that was asked is waited for',
  plans,
  row(off(60_000), 'on', { ...BOOTED, askedAtMs: 50_000 }),
  'nothing',
);
test(
  'that does not heed is forced',
  plans,
  row(off(60_000), 'on', { ...BOOTED, askedAtMs: 40_000 }),
  'force_off',
);
test(
  'that may never be forced is asked again',
  plans,
  row(off('never'), 'on', { ...BOOTED, askedAtMs: 10_000 }),
  'ask_off',
);
test('that is to be off at once is forced', plans, row(off(0), 'on', BOOTED), 'force_off');
test(
  'that cannot be asked is forced where that is allowed',
  plans,
  row(off(60_000), 'on', { ...BOOTED, cannotAsk: true }),
  'force_off',
);
test(
  'that cannot be asked and may never be forced is left on',
  plans,
  row(off('never'), 'on', { ...BOOTED, cannotAsk: true }),
  'nothing',
);
test('that is off as wanted is left alone', plans, row(off(0), 'off', BOOTED), 'nothing');
test('that is turning on is waited for', plans, row(ON, 'turning_on', NEW), 'nothing');
test('whose power is unknown is waited for', plans, row(off(0), 'unknown', BOOTED), 'nothing');
test(
  'that hangs while it turns off is forced',
  plans,
  row(off(0), 'turning_off', { ...BOOTED, unsettledSinceMs: 30_000 }),
  'force_off',
);

/** A server and the agent beside it, which dies after any of its moves. */
type Model = { power: 'on' | 'off'; boots: number; device: string; memory: ServerMemory };

/** Takes the step as work/server-step.ts does; `dies` after so many of its writes and calls. */
const take = (model: Model, wanted: WantedServer, dies: number): boolean => {
  const step = planServer(wanted, model.power, { ...model.memory, nowMs: 0 });
  const generation = wanted.bootGeneration;
  const moves: Record<string, (() => void)[]> = {
    power_on: [
      () => Object.assign(model, { memory: { ...model.memory, sentGeneration: generation } }),
      () => {
        if (model.power === 'off') model.boots += 1;
        model.power = 'on';
      },
      () => Object.assign(model, { memory: { ...model.memory, bootGeneration: generation } }),
    ],
    note_booted: [
      () => Object.assign(model, { memory: { ...model.memory, bootGeneration: generation } }),
    ],
    force_off: [() => Object.assign(model, { power: 'off' })],
    set_boot_device: [
      () => Object.assign(model, { device: 'network' }),
      () => Object.assign(model, { memory: { ...model.memory, deviceGeneration: generation } }),
    ],
  };
  for (const move of (moves[step.do] ?? []).slice(0, dies)) move();
  return step.do === 'nothing';
};

test('whenever the agent dies, each number boots the server exactly once', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom('on' as const, 'off' as const),
      fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 3 }),
      (power, deaths, generations) => {
        const model: Model = { power, boots: 0, device: 'none', memory: NEW };
        const left = [...deaths];
        for (let number = 1; number <= generations; number += 1) {
          const wanted = { ...NETWORK, bootGeneration: BigInt(number) };
          for (let turn = 0; turn < 40; turn += 1) {
            if (take(model, wanted, left.shift() ?? 9)) break;
          }
          t.is(model.boots, number);
          t.is(model.power, 'on');
          t.is(model.device, 'network');
          t.is(model.memory.bootGeneration, BigInt(number));
        }
      },
    ),
  );
});

test('a quiet server is looked at less and less often, and never in step with others', (t) => {
  t.is(nextLookMs(0, 0.5), 1_000);
  t.is(nextLookMs(3, 0.5), 8_000);
  t.is(nextLookMs(99, 0.5), 60_000);
  t.is(nextLookMs(99, 0), 48_000);
  t.is(nextLookMs(99, 0.999_999), 72_000);
});
