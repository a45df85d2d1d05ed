import test from 'ava';
import { metadataSecretsSuite } from './metadata-secrets.suite.ts';

metadataSecretsSuite({ test });
