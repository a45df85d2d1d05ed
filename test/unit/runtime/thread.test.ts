import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import { startThread } from '../../../services/runtime/thread.ts';
import { temporaryDir } from '../../support/temporary-dir.ts';

const write = (dir: string, files: Readonly<Record<string, string>>): URL => {
  mkdirSync(join(dir, 'part'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return pathToFileURL(join(dir, 'program.ts'));
};

test('a thread runs a program with all that it imports, and reads no TypeScript itself', async (t) => {
  using dir = temporaryDir();
  const program = write(dir.path, {
    'program.ts': `
      import { parentPort, workerData } from 'node:worker_threads';
      import { double } from './part/double.ts';
      import './part/side.ts';
      const late = await import('./part/late.ts');
      const sum: number = double(workerData.of) + late.one;
      parentPort?.postMessage({ sum, side: Reflect.get(globalThis, 'side') });
    `,
    'part/double.ts': 'export const double = (of: number): number => 2 * of;',
    'part/side.ts': "Reflect.set(globalThis, 'side', 'seen' satisfies string);",
    'part/late.ts': 'export const one = 1 as const;',
  });
  const warnings: unknown[] = [];
  process.on('warning', (warning) => warnings.push(warning));
  const worker = startThread(program, { of: 21 });
  const ended = once(worker, 'exit');
  writeFileSync(program, "throw new Error('it was read again');");
  const [answer] = await once(worker, 'message');
  t.deepEqual(answer, { sum: 43, side: 'seen' });
  t.deepEqual(await ended, [0]);
  t.deepEqual(warnings, []);
});

test('what a program of a thread throws names its file and line', async (t) => {
  using dir = temporaryDir();
  const program = write(dir.path, {
    'program.ts': "import { fail } from './part/fail.ts';\nfail('now');\n",
    'part/fail.ts':
      'type Why = string;\n\nexport const fail = (why: Why): never => {\n' +
      '  throw new Error(why);\n};\n',
  });
  const worker = startThread(program, {});
  const [error] = await once(worker, 'error');
  t.regex(String(error?.stack), /part\/fail\.ts:4:9/);
});

test('a program that is missing is told by its path', (t) => {
  const program = new URL('file:///nowhere/program.ts');
  t.throws(() => startThread(program, {}), { message: /nowhere\/program\.ts/ });
});
