import test from 'ava';
import { inventoryReshapeSuite } from './inventory-reshape.suite.ts';

inventoryReshapeSuite({ test });
