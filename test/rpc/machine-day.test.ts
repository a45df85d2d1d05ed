import test from 'ava';
import { machineDaySuite } from './machine-day.suite.ts';

machineDaySuite({ test });
