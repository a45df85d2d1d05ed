import test from 'ava';
import { afterCall, nextStep } from '../../../services/machine/domain/advance.ts';
import { begin } from '../../../services/machine/domain/operation.ts';
import { operation, view } from './fixtures.ts';

test('a call that failed is repeated later each time, and not before', (t) => {
  let seen = view({ operation: begin(operation('create'), 'claim', 1_000) });
  const waits: number[] = [];
  for (let count = 0; count < 8; count += 1) {
    const result = { kind: 'again', message: 'not now' } as const;
    const decided = afterCall(seen, { call: 'acquire', result }, 10_000);
    if (decided.kind !== 'record') throw new Error(decided.kind);
    seen = { ...seen, operation: decided.operation };
    waits.push(decided.operation.wakeMs - 10_000);
    t.is(nextStep(seen, 10_001).kind, 'wait');
    t.is(nextStep(seen, decided.operation.wakeMs).kind, 'call');
  }
  t.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
});
