import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleCli, writeShim } from '../../deploy/start/shim.ts';
import { createAuthority } from '../support/certificates.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import type { BenchOptions, Measured } from './bench.ts';
import { startChild } from './child.ts';
import { paired } from './paired.ts';
import { SERVER } from './rpc-message.ts';

const TOKEN = 'bench-token-of-one-run';
const LIMIT_MS = 20_000;

/**
 * A person types `runm whoami`: from the start of the shim that `npm start` writes to its end, with
 * a real TLS call in between. Beside it the least that Node needs for that call.
 */
export const cliCall = async (options: BenchOptions): Promise<Measured> => {
  using dir = temporaryDir();
  const authority = await createAuthority();
  await using server = startChild('subjects/people-server.ts');
  const port = await server.ask<number>('start', {
    pem: (await authority.service(SERVER)).current(),
    logFile: `${dir.path}/bench.log`,
    token: TOKEN,
  });
  const [caFile, tokenFile] = [`${dir.path}/ca.pem`, `${dir.path}/token`];
  writeFileSync(caFile, authority.ca);
  writeFileSync(tokenFile, TOKEN, { mode: 0o600 });
  const endpoint = `https://127.0.0.1:${port}`;
  const env = {
    ...process.env,
    RUNM_CONFIG: `${dir.path}/config.json`,
    RUNM_ENDPOINT: endpoint,
    RUNM_CA_FILE: caFile,
    RUNM_TOKEN_FILE: tokenFile,
  };
  const shim = `${writeShim(dir.path)}/runm`;
  const program = fileURLToPath(new URL('limits/whoami-call.mjs', import.meta.url));
  const runm = () => timed(shim, ['whoami'], env);
  const bare = () => timed(process.execPath, [program, endpoint, caFile, tokenFile], env);
  options.note(`first call, nothing is cached yet: ${Math.round(await runm())} ms`);
  options.note(`second call, from the sources: ${Math.round(await runm())} ms`);
  if (!(await bundleCli(dir.path).done)) options.note('no bundle could be made');
  // The first one fills the cache of compiled code.
  await runm();
  await bare();
  const samples = options.quick ? 5 : 25;
  const result = await paired({ samples, subject: runm, limit: bare }, options);
  return {
    figure: 'cli_call',
    value: result.subject,
    limit: result.limit,
    unit: 'ms',
    samples,
    limitCommand: 'node test/bench/limits/whoami-call.mjs ENDPOINT CA_FILE TOKEN_FILE',
  };
};

/** Milliseconds from the start of the program to its end. Rejects when it fails. */
const timed = async (
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> => {
  const startMs = performance.now();
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT_MS });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part) => {
      said += String(part);
    });
  }
  const [code] = await once(child, 'close');
  const spentMs = performance.now() - startMs;
  if (code === 0 && said.includes('users/admin')) return spentMs;
  throw new Error(`${program} ended with ${code}: ${said}`);
};
