import { join } from 'node:path';
import test from 'ava';
import { temporaryDir } from '../support/temporary-dir.ts';
import { inventoryUpgradeSuite } from './inventory-upgrade.suite.ts';

const dir = temporaryDir({ inMemory: true });
test.after.always(() => dir[Symbol.dispose]());

inventoryUpgradeSuite({ test }, async () => `sqlite:${join(dir.path, 'inventory.db')}`);
