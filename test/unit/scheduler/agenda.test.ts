import test from 'ava';
import fc from 'fast-check';
import { createAgenda } from '../../../services/scheduler/domain/agenda.ts';
import { propertyRuns } from '../../support/property-runs.ts';

type Step =
  | { readonly kind: 'add'; readonly uid: string; readonly atMs: number }
  | { readonly kind: 'remove'; readonly uid: string }
  | { readonly kind: 'take'; readonly nowMs: number };

const uid = fc.nat(6).map((number) => `u${number}`);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), uid, atMs: fc.nat(50) }),
  fc.record({ kind: fc.constant('remove' as const), uid }),
  fc.record({ kind: fc.constant('take' as const), nowMs: fc.nat(50) }),
);

test('a claim is looked at once, at the soonest time that it was given', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const agenda = createAgenda();
      const times = new Map<string, number>();
      for (const one of steps) {
        if (one.kind === 'add') {
          agenda.add(one.uid, one.atMs);
          times.set(one.uid, Math.min(one.atMs, times.get(one.uid) ?? Infinity));
        } else if (one.kind === 'remove') {
          agenda.remove(one.uid);
          times.delete(one.uid);
        } else {
          const due = [...times].filter(([, atMs]) => atMs <= one.nowMs).map(([which]) => which);
          t.deepEqual([...agenda.take(one.nowMs)].sort(), due.sort());
          for (const which of due) times.delete(which);
        }
      }
    }),
    { numRuns: propertyRuns(500) },
  );
});

test('claims that come and go leave nothing behind', (t) => {
  const agenda = createAgenda();
  agenda.add('stays', 1_000_000);
  for (let at = 0; at < 50_000; at += 1) {
    agenda.add(`u${at}`, 500_000 + at);
    agenda.remove(`u${at}`);
  }
  t.true((agenda.nextMs() ?? 0) > 500_000 + 48_000, 'only the newest of them are still there');
  t.deepEqual(agenda.take(2_000_000), ['stays']);
});
