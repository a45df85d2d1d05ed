import test from 'ava';
import { version } from 'uuid';
import { systemRandom } from '../../../services/runtime/random.ts';

test('uids come in their order, each once, also many within a millisecond', (t) => {
  const uids = Array.from({ length: 10_000 }, () => systemRandom.uid());
  t.deepEqual(uids.toSorted(), uids);
  t.is(new Set(uids).size, uids.length);
  t.true(uids.every((uid) => version(uid) === 7));
});
