import test from 'ava';
import { claimsRaceSuite } from './claims-race.suite.ts';

claimsRaceSuite(test, () => ({}));
