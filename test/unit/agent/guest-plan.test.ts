import test from 'ava';
import fc from 'fast-check';
import {
  type GuestMemory,
  type GuestStep,
  planGuest,
  type SeenGuest,
  type WantedGuest,
} from '../../../services/agent/domain/guest-plan.ts';

const on: WantedGuest = { power: 'on', bootGeneration: 1n, forceAfterMs: 30_000 };
const off: WantedGuest = { ...on, power: 'off' };
const memory: GuestMemory & { nowMs: number } = {
  bootGeneration: 1n,
  guestOff: false,
  crashes: 0,
  nowMs: 100_000,
};
type Memory = Partial<typeof memory>;

const plans = test.macro<[WantedGuest, SeenGuest, { own?: Memory; step: GuestStep }]>(
  (t, wanted, seen, { own = {}, step }) => {
    t.deepEqual(planGuest(wanted, seen, { ...memory, ...own }), step);
  },
);

test(
  'a guest that is wanted on and is off boots',
  plans,
  on,
  { power: 'off' },
  { step: { do: 'boot' } },
);
test(
  'a guest that runs the wanted boot is left alone',
  plans,
  on,
  { power: 'on' },
  { step: { do: 'nothing' } },
);
test(
  'a newer boot generation reboots a running guest',
  plans,
  { ...on, bootGeneration: 2n },
  { power: 'on' },
  { step: { do: 'reboot' } },
);
test(
  'a newer boot generation reboots a paused guest',
  plans,
  { ...on, bootGeneration: 2n },
  { power: 'paused' },
  { step: { do: 'reboot' } },
);
test(
  'a guest that powered itself off stays off',
  plans,
  on,
  { power: 'off' },
  { own: { guestOff: true }, step: { do: 'nothing' } },
);
test(
  'a guest that powered itself off boots when a new boot is wanted',
  plans,
  { ...on, bootGeneration: 2n },
  { power: 'off' },
  { own: { guestOff: true }, step: { do: 'boot' } },
);
test(
  'a crashed guest waits before it boots again',
  plans,
  on,
  { power: 'off' },
  { own: { crashes: 2, lastCrashAtMs: 99_000 }, step: { do: 'nothing', againAfterMs: 4_000 } },
);
test(
  'a crashed guest boots again after its wait',
  plans,
  on,
  { power: 'off' },
  { own: { crashes: 2, lastCrashAtMs: 90_000 }, step: { do: 'boot' } },
);
test('stopping asks the guest first', plans, off, { power: 'on' }, { step: { do: 'ask' } });
test(
  'stopping waits for the guest until its time is over',
  plans,
  off,
  { power: 'on' },
  { own: { askedAtMs: 80_000 }, step: { do: 'nothing', againAfterMs: 10_000 } },
);
test(
  'stopping forces the guest when its time is over',
  plans,
  off,
  { power: 'on' },
  { own: { askedAtMs: 70_000 }, step: { do: 'kill' } },
);
test(
  'stopping with no patience forces at once',
  plans,
  { ...off, forceAfterMs: 0 },
  { power: 'on' },
  { step: { do: 'kill' } },
);
test(
  'shutdown never forces, it asks again',
  plans,
  { ...off, forceAfterMs: 'never' },
  { power: 'on' },
  { own: { askedAtMs: 10_000 }, step: { do: 'ask' } },
);
test(
  'shutdown of a paused guest lets it run to hear the request',
  plans,
  { ...off, forceAfterMs: 'never' },
  { power: 'paused' },
  { step: { do: 'resume' } },
);
test(
  'a guest that is off and wanted off is left alone',
  plans,
  off,
  { power: 'off' },
  { step: { do: 'nothing' } },
);
test(
  'pausing halts a running guest',
  plans,
  { ...on, power: 'paused' },
  { power: 'on' },
  { step: { do: 'pause' } },
);
test(
  'a guest that is wanted on and is paused runs again',
  plans,
  on,
  { power: 'paused' },
  { step: { do: 'resume' } },
);

test('no plan ever boots what runs or kills what is wanted and current', (t) => {
  const power = fc.constantFrom('on' as const, 'off' as const, 'paused' as const);
  fc.assert(
    fc.property(
      power,
      power,
      fc.bigInt({ min: 0n, max: 3n }),
      fc.bigInt({ min: 1n, max: 3n }),
      fc.boolean(),
      fc.oneof(fc.constant('never' as const), fc.nat(60_000)),
      fc.option(fc.nat(100_000), { nil: undefined }),
      (wantedPower, seenPower, booted, generation, guestOff, forceAfterMs, askedAtMs) => {
        const wanted = { power: wantedPower, bootGeneration: generation, forceAfterMs };
        const own = { bootGeneration: booted, guestOff, crashes: 0, nowMs: 100_000 };
        const asked = askedAtMs === undefined ? {} : { askedAtMs };
        const step = planGuest(wanted, { power: seenPower }, { ...own, ...asked });
        if (step.do === 'boot') t.is(seenPower, 'off');
        if (step.do === 'kill') t.true(wantedPower === 'off' && forceAfterMs !== 'never');
        if (step.do === 'reboot') t.true(booted < generation && wantedPower !== 'off');
        return true;
      },
    ),
  );
});
