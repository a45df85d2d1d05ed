import { join } from 'node:path';
import test from 'ava';
import { systemRandom } from '../../services/runtime/random.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { schedulerHistorySuite } from './scheduler-history.suite.ts';

const dir = temporaryDir();
test.after.always(() => dir[Symbol.dispose]());

schedulerHistorySuite(test, () =>
  Promise.resolve(`sqlite:${join(dir.path, `${systemRandom.uid()}.sqlite`)}`),
);
