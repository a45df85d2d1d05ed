import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { invalidArgument } from '../../services/runtime/errors.ts';

export type LabOptions = {
  readonly stateDir: string;
  readonly rackFile: string;
  /** Short: a unix socket's path has about 100 bytes. */
  readonly socketsDir: string;
  /** Why no qemu is to be used even where there is one; undefined: it is. */
  readonly simulated: string | undefined;
  readonly toolsDir: string;
  /** Where lab-linux lies, or is built. */
  readonly imageDir: string;
  /** Where an earlier trial of the accelerator lies, or is kept. */
  readonly trialDir: string;
  readonly firstNet: number;
};

export const LAB_HELP = `node deploy/lab/main.ts brings up a rack of virtual servers.

  --state-dir DIR     where everything lies (.runmachine/lab)
  --rack FILE         what there is (deploy/lab/rack.yaml)
  --sockets-dir DIR   for sockets, short (the state directory)
  --simulated         simulate the servers behind the controllers instead of running qemu
  --simulated-why WHY the same, and what is to be said of it
  --tools-dir DIR     where fetched programs lie (.runmachine/tools)
  --image-dir DIR     where lab-linux lies or is built (images in the state directory)
  --trial-dir DIR     where the trial of qemu's accelerator is kept (the state directory)
  --first-net N       controllers get 127.77.N.1 and on (1), or what is free after that`;

export const CONTROL_SOCKET = 'lab.sock';

/** Throws invalid_argument LAB_OPTION_INVALID. */
export const parseLabOptions = (argv: readonly string[]): LabOptions | 'help' => {
  const values = parse(argv);
  if (values.help === true) return 'help';
  const stateDir = resolve(values['state-dir'] ?? '.runmachine/lab');
  const firstNet = Number(values['first-net'] ?? '1');
  if (!Number.isInteger(firstNet) || firstNet < 1 || firstNet > 254) {
    throw invalidArgument('LAB_OPTION_INVALID', '--first-net has to be 1 to 254');
  }
  return {
    stateDir,
    rackFile: resolve(values.rack ?? join(import.meta.dirname, 'rack.yaml')),
    socketsDir: resolve(values['sockets-dir'] ?? stateDir),
    simulated: values['simulated-why'] ?? (values.simulated ? 'as was asked for' : undefined),
    toolsDir: resolve(values['tools-dir'] ?? '.runmachine/tools'),
    imageDir: resolve(values['image-dir'] ?? join(stateDir, 'images')),
    trialDir: resolve(values['trial-dir'] ?? stateDir),
    firstNet,
  };
};

const parse = (argv: readonly string[]) => {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        simulated: { type: 'boolean' },
        'simulated-why': { type: 'string' },
        'state-dir': { type: 'string' },
        rack: { type: 'string' },
        'sockets-dir': { type: 'string' },
        'tools-dir': { type: 'string' },
        'image-dir': { type: 'string' },
        'trial-dir': { type: 'string' },
        'first-net': { type: 'string' },
      },
    }).values;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw invalidArgument('LAB_OPTION_INVALID', message.split('. ')[0] ?? message, { cause });
  }
};
