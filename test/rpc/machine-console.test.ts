import test from 'ava';
import { machineConsoleSuite } from './machine-console.suite.ts';

machineConsoleSuite({ test, what: 'the only replica', index: 0, replicas: 1 });
