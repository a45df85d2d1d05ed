import { join } from 'node:path';
import test from 'ava';
import { systemRandom } from '../../services/runtime/random.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import { inventoryUpgradeSuite } from './inventory-upgrade.suite.ts';

const dir = temporaryDir({ inMemory: true });
test.after.always(() => dir[Symbol.dispose]());

inventoryUpgradeSuite({ test }, async () => `sqlite:${join(dir.path, `${systemRandom.uid()}.db`)}`);
