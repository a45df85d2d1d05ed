import test from 'ava';
import { inventoryObservationSuite } from './inventory-observation.suite.ts';

inventoryObservationSuite({ test });
