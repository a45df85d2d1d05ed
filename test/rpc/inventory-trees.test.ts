import test from 'ava';
import { inventoryTreesSuite } from './inventory-trees.suite.ts';

inventoryTreesSuite({ test });
