import test from 'ava';
import { machineConsoleTokenSuite } from './machine-console-token.suite.ts';

machineConsoleTokenSuite({ test, what: 'the only replica', index: 0, replicas: 1 });
