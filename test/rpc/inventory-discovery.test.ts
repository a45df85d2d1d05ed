import test from 'ava';
import { inventoryDiscoverySuite } from './inventory-discovery.suite.ts';

inventoryDiscoverySuite({ test });
