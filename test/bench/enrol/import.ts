/**
 * The import of a fleet through BatchUpsertProviders, over mTLS, into a real PostgreSQL; beside it
 * the same rows written by the driver alone; and a fleet three times as large.
 */
import { join } from 'node:path';
import { findProgram, type Program } from '../../../deploy/tools/program.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { prepare } from '../../runner/prepare.ts';
import { createAuthority } from '../../support/certificates.ts';
import { startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';
import { testToolsDir } from '../../tools-dir.ts';
import { type BenchOptions, CannotMeasure, type Measured } from '../bench.ts';
import { type Child, startChild } from '../child.ts';

const SIZE = 100_000;
const SIZE_QUICK = 4_000;
const TIMES = 3;
const BATCH = 500;
const WARM_UP = 5_000;
const LIMIT_MS = 900_000;

/** Tests, of which many run side by side, give it a quarter of its own buffers. */
const AS_IT_COMES = ['shared_buffers=128MB', 'autovacuum_naptime=1min'];

export const importFleet = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const size = options.quick ? SIZE_QUICK : SIZE;
  const programs = await postgresPrograms(options);
  await using postgres = await startPostgres(programs, AS_IT_COMES);
  const small = await run(postgres, options, { size, isCopied: true });
  const large = await run(postgres, options, { size: TIMES * size, isCopied: false });
  const limitCommand = 'node test/bench/limits/raw-providers.ts <from> <to>';
  const raw = { limit: small.rawSeconds, limitCommand };
  return [
    { figure: 'import_seconds', value: small.seconds, unit: 's', samples: 1, ...raw },
    { figure: 'import_beside_raw', value: small.seconds, unit: 's', samples: 1, ...raw },
    { figure: 'import_growth', value: large.seconds / small.seconds, unit: '×', samples: 1 },
  ];
};

type Run = { readonly size: number; readonly isCopied: boolean };
type Found = { readonly seconds: number; readonly rawSeconds: number };

const run = async (
  postgres: TestPostgres,
  options: BenchOptions,
  { size, isCopied }: Run,
): Promise<Found> => {
  using dir = temporaryDir();
  const authority = await createAuthority();
  const url = await postgres.createDatabase();
  await using server = startChild('subjects/inventory-server.ts');
  const pem = (await authority.service('inventory')).current();
  const port = await server.ask<number>('start', {
    pem,
    url,
    logFile: `${dir.path}/inventory.log`,
  });
  await using client = startChild('subjects/enrol-load.ts');
  const callerPem = (await authority.service('machine')).current();
  await client.ask('connect', { pem: callerPem, port, count: size + WARM_UP }, LIMIT_MS);
  // Until V8 has compiled what is hot, it is several times slower.
  await client.ask<number>('load', { from: size, to: size + WARM_UP }, LIMIT_MS);
  if (options.cpuProfileDir !== undefined) await server.ask('beginProfile');
  const before = await cpuOf({ server, client });
  const seconds = await client.ask<number>('load', { from: 0, to: size }, LIMIT_MS);
  const after = await cpuOf({ server, client });
  if (options.cpuProfileDir !== undefined) {
    const file = join(options.cpuProfileDir, `import-${size}.cpuprofile`);
    await server.ask('endProfile', { file }, 120_000);
    options.note(`profile: ${file}`);
  }
  const each = (of: keyof typeof after) => Math.round((after[of] - before[of]) / size);
  options.note(
    `${size} providers in ${seconds.toFixed(1)} s, ${Math.round(size / seconds)}/s; ` +
      `µs of CPU for each: server ${each('server')}, client ${each('client')}`,
  );
  return {
    seconds,
    rawSeconds: isCopied ? await copy(postgres, options, { url, dir: dir.path }) : 0,
  };
};

const cpuOf = async ({ server, client }: { readonly server: Child; readonly client: Child }) => ({
  server: await server.ask<number>('cpuUs'),
  client: await client.ask<number>('cpuUs'),
});

type Copy = { readonly url: string; readonly dir: string };

/** Into a database whose tables the service itself has made. */
const copy = async (
  postgres: TestPostgres,
  { note }: BenchOptions,
  { url, dir }: Copy,
): Promise<number> => {
  const to = await postgres.createDatabase();
  const authority = await createAuthority();
  {
    await using maker = startChild('subjects/inventory-server.ts');
    const pem = (await authority.service('inventory')).current();
    await maker.ask('start', { pem, url: to, logFile: `${dir}/maker.log` });
  }
  await using raw = startChild('limits/raw-providers.ts');
  const seconds = await raw.ask<number>('copy', { from: url, to, batch: BATCH }, LIMIT_MS);
  note(`the same rows raw in ${seconds.toFixed(1)} s`);
  return seconds;
};

/** Fetched as the tests fetch it. */
const postgresPrograms = async ({ note }: BenchOptions) => {
  const toolsDir = testToolsDir();
  if (findProgram('postgres', toolsDir) === undefined) {
    await prepare(['postgres'], { toolsDir, clock: systemClock, print: note });
  }
  const found = (name: 'postgres' | 'initdb'): Program => {
    const program = findProgram(name, toolsDir);
    if (program === undefined) throw new CannotMeasure(`${name} could not be had`);
    return program;
  };
  return { postgres: found('postgres'), initdb: found('initdb') };
};
