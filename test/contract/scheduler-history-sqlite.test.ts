import test from 'ava';
import { schedulerHistorySuite } from './scheduler-history.suite.ts';

schedulerHistorySuite(test, () => Promise.resolve('sqlite::memory:'));
