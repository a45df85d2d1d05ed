import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import type { Program } from '../../deploy/tools/program.ts';
import { type Ended, run } from './run.ts';

const PROTO = join(dirname(dirname(import.meta.dirname)), 'proto');
const DETAILS = 'google/rpc/error_details.proto';

/** What generated Python needs in its environment. */
export type Stubs = { readonly env: Readonly<Record<string, string>> };

/** Generates Python of the whole contract, as a user of Debian's python3-grpc-tools would. */
export const generatePythonStubs = async (python: Program, dir: string): Promise<Stubs> => {
  const [sources, stubs] = [join(dir, 'sources'), join(dir, 'stubs')];
  mkdirSync(join(sources, dirname(DETAILS)), { recursive: true });
  mkdirSync(stubs, { recursive: true });
  // The protoc of Debian 12 knows no `optional` in proto3. On the wire it makes no difference.
  const details = readFileSync(join(PROTO, 'vendor', DETAILS), 'utf8');
  writeFileSync(join(sources, DETAILS), details.replaceAll(/^(\s*)optional /gm, '$1'));
  const contract = globSync('runmachine/**/*.proto', { cwd: PROTO });
  const ended: Ended = await run(python.path, {
    args: [
      ...['-m', 'grpc_tools.protoc', '-I', sources, '-I', PROTO, '-I', join(PROTO, 'vendor')],
      ...[`--python_out=${stubs}`, `--grpc_python_out=${stubs}`, ...contract],
      ...[DETAILS, 'google/rpc/status.proto', 'buf/validate/validate.proto'],
    ],
    env: python.env,
  });
  if (ended.code !== 0) throw new Error(`protoc failed: ${ended.stderr}`);
  const path = [stubs, python.env.PYTHONPATH].filter((one) => one !== undefined);
  return { env: { ...python.env, PYTHONPATH: path.join(delimiter), STUBS: stubs } };
};
