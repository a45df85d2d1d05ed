import test from 'ava';
import { inventoryPlacesSuite } from './inventory-places.suite.ts';

inventoryPlacesSuite({ test });
