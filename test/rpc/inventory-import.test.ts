import test from 'ava';
import { inventoryImportSuite } from './inventory-import.suite.ts';

inventoryImportSuite({ test });
