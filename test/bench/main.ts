import { parseArgs } from 'node:util';
import { type Bench, type BenchOptions, CannotMeasure } from './bench.ts';
import { tableOf } from './report.ts';
import { type Judged, judge, readTargets } from './targets.ts';

/**
 * `npm run bench -- <name> [--json] [--quick]`; `claims`, `enrol` and `bmc` also take
 * `--only row,…`, `--sizes n,…` and `--cpu-prof folder`. Exit 0 when every target was met, 1 when
 * one was missed or could not be measured, 2 for a wrong command line.
 */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  rpc: async () => (await import('./rpc.ts')).rpc,
  heartbeat: async () => (await import('./heartbeat.ts')).heartbeat,
  vm: async () => (await import('./vm.ts')).vm,
  idle: async () => (await import('./idle.ts')).idle,
  claims: async () => (await import('./claims.ts')).claims,
  enrol: async () => (await import('./enrol.ts')).enrol,
  bmc: async () => (await import('./bmc.ts')).bmc,
};

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
const SIZES_QUICK = [1_000];

const main = async (): Promise<number> => {
  const { names, json, ...choice } = parse();
  const targets = readTargets();
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupted.abort(new Error('interrupted')));
  }
  let missed = 0;
  for (const name of names) {
    const bench = await BENCHES[name]?.();
    if (bench === undefined) continue;
    if (!json) console.log(`${name}: ${bench.summary}`);
    const signal = AbortSignal.any([interrupted.signal, AbortSignal.timeout(bench.limitMs)]);
    const note = (line: string) => console.error(`  ${line}`);
    const rows = await figuresOf(bench, { ...choice, signal, note }).then((found) =>
      found?.map((one) => judge(one, targets)),
    );
    missed += rows === undefined ? 1 : rows.filter((row) => !row.ok).length;
    if (rows !== undefined) print(rows, json);
    if (interrupted.signal.aborted) break;
  }
  return missed === 0 ? 0 : 1;
};

const figuresOf = async (bench: Bench, options: BenchOptions) => {
  try {
    return await bench.run(options);
  } catch (error) {
    const isExpected = error instanceof CannotMeasure || options.signal.aborted;
    console.error(`  not measured: ${isExpected ? String(error) : inspectable(error)}`);
    return undefined;
  }
};

const inspectable = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

const print = (rows: readonly Judged[], json: boolean): void => {
  if (json) for (const row of rows) console.log(JSON.stringify(row));
  else console.log(`${tableOf(rows)}\n`);
};

type Choice = Omit<BenchOptions, 'note' | 'signal'> & {
  readonly names: readonly string[];
  readonly json: boolean;
};

const parse = (): Choice => {
  const known = Object.keys(BENCHES);
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        json: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
        sizes: { type: 'string', default: '' },
        'cpu-prof': { type: 'string' },
      },
    });
    if (values.help) {
      console.log(usage(known));
      process.exit(0);
    }
    const unknown = positionals.find((name) => name !== 'all' && !known.includes(name));
    if (unknown !== undefined) throw new Error(`there is no bench "${unknown}"`);
    if (positionals.length === 0) throw new Error('the name of a bench is missing');
    const names = positionals.includes('all') ? known : positionals;
    const { json, quick, only } = values;
    const sizes = sizesOf(values.sizes) ?? (quick ? SIZES_QUICK : SIZES);
    return { names, json, quick, only: listOf(only), sizes, cpuProfileDir: values['cpu-prof'] };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.error(message.split('. ')[0] ?? message);
    console.error(usage(known));
    process.exit(2);
  }
};

const usage = (known: readonly string[]): string =>
  [
    `usage: npm run bench -- <${known.join('|')}|all> [--json] [--quick]`,
    '       claims, enrol, bmc: [--only row,…] [--sizes n,…] [--cpu-prof folder]',
    '       test/bench/README.md has the rows',
  ].join('\n');

const listOf = (text: string): readonly string[] =>
  text.split(',').filter((part) => part.trim() !== '');

const sizesOf = (text: string): readonly number[] | undefined => {
  const sizes = listOf(text).map(Number);
  const wrong = sizes.findIndex((size) => !Number.isInteger(size) || size < 1);
  if (wrong >= 0) throw new Error(`"${listOf(text)[wrong]}" is no size of a fleet`);
  return sizes.length === 0 ? undefined : sizes;
};

process.exitCode = await main();
// What a bench left open, such as a stuck connection, must not keep the process.
process.exit();
