import { pino } from 'pino';

/** A logger for tests: says nothing, unless RUNM_TEST_LOG names a level (debug, info, …). */
export const silentLog = pino({ level: process.env.RUNM_TEST_LOG ?? 'silent' });
