import test from 'ava';
import fc from 'fast-check';
import { type Hold, peakUse } from '../../../services/scheduler/domain/hold.ts';
import { CPU } from './builders.ts';

const hold = (claimUid: string, amount: number, fromMs: number, toMs: number): Hold => ({
  claimUid,
  amounts: new Map([[CPU, amount]]),
  fromMs,
  toMs,
});

test('what ends at an instant leaves room for what begins at it', (t) => {
  const holds = [hold('a', 3, 0, 10), hold('b', 3, 10, 20)];
  t.is(peakUse(holds, CPU, { fromMs: 0, toMs: 20 }), 3);
});

test('only the instants of the interval count', (t) => {
  const holds = [hold('a', 2, 0, 10), hold('b', 3, 5, 8), hold('c', 9, 20, Infinity)];
  t.is(peakUse(holds, CPU, { fromMs: 8, toMs: 20 }), 2);
  t.is(peakUse(holds, CPU, { fromMs: 7, toMs: 8 }), 5);
  t.is(peakUse(holds, CPU, { fromMs: 7, toMs: Infinity }), 9);
});

test('the peak is the largest sum that counting instant by instant finds', (t) => {
  const interval = fc
    .tuple(fc.nat(12), fc.integer({ min: 1, max: 12 }), fc.boolean())
    .map(([fromMs, length, forEver]) => ({
      fromMs,
      toMs: forEver ? Infinity : fromMs + length,
    }));
  const holds = fc.array(fc.tuple(interval, fc.integer({ min: 1, max: 5 })), { maxLength: 8 });
  fc.assert(
    fc.property(holds, interval, (wishes, window) => {
      const made = wishes.map(([{ fromMs, toMs }, amount], at) =>
        hold(`${at}`, amount, fromMs, toMs),
      );
      let most = 0;
      for (let at = window.fromMs; at < Math.min(window.toMs, 40); at += 1) {
        const sum = made
          .filter(({ fromMs, toMs }) => fromMs <= at && at < toMs)
          .reduce((total, { amounts }) => total + (amounts.get(CPU) ?? 0), 0);
        most = Math.max(most, sum);
      }
      t.is(peakUse(made, CPU, window), most);
    }),
  );
  t.pass();
});
