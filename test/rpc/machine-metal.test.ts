import test from 'ava';
import { machineMetalSuite } from './machine-metal.suite.ts';

machineMetalSuite({ test });
