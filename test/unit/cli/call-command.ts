import { type ConnectRouter, createRouterTransport, type Transport } from '@connectrpc/connect';
import type { Command, Context } from '../../../services/cli/command.ts';
import type { Output, OutputMode } from '../../../services/cli/output.ts';
import { parseCommandLine } from '../../../services/cli/parse-args.ts';
import { reportError } from '../../../services/cli/report-error.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { manualClock } from '../../support/manual-clock.ts';

export type Called = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs one verb against services of the test, off a terminal, on 1 January 2026. */
export const callCommand = async (
  command: Command,
  argv: readonly string[],
  routes: ((router: ConnectRouter) => void) | Transport = () => undefined,
  more: Partial<Pick<Context, 'stdin' | 'clock' | 'settings'>> = {},
): Promise<Called> => {
  const lines = { stdout: '', stderr: '' };
  const output = outputInto(lines, modeOf(argv));
  let code: number;
  try {
    const context = {
      settings: {
        endpoint: 'https://127.0.0.1:1',
        caPem: undefined,
        token: undefined,
        partition: 'lab',
        project: 'red',
        profile: 'test',
      },
      transport: () => (typeof routes === 'function' ? createRouterTransport(routes) : routes),
      output,
      clock: manualClock(),
      random: systemRandom,
      env: {},
      stdin: process.stdin,
      signal: new AbortController().signal,
      ...more,
    };
    code = (await command.run(context, parseCommandLine(command, argv))) ?? 0;
  } catch (error) {
    code = await reportError(output, error, 'https://127.0.0.1:1');
  }
  return { code, ...lines };
};

const modeOf = (argv: readonly string[]): OutputMode => {
  if (argv.includes('--json')) return 'json';
  if (argv.includes('--yaml')) return 'yaml';
  return argv.includes('-q') ? 'quiet' : 'table';
};

const outputInto = (lines: { stdout: string; stderr: string }, mode: OutputMode): Output => ({
  mode,
  isTerminal: false,
  columns: 80,
  result: (text) => {
    lines.stdout += `${text}\n`;
  },
  remark: (text) => {
    lines.stderr += `${text}\n`;
  },
  progress: () => undefined,
  raw: (bytes) => {
    lines.stdout += Buffer.from(bytes).toString();
  },
});
