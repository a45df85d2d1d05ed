/**
 * The lab as a process of its own: `node deploy/lab/main.ts --help`. Started by another process
 * with a channel, it tells by it when it is ready, and lets go of its guests when that one dies.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { createLog } from '../../services/runtime/log.ts';
import { openLogFile } from '../../services/runtime/log-file.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { untilAborted } from '../until-aborted.ts';
import { LAB_FRONTS } from './fronts.ts';
import { type Lab, startLab } from './lab.ts';
import type { LabMessage } from './lab-message.ts';
import { LAB_HELP, parseLabOptions } from './lab-options.ts';

const GUESTS_STOP_MS = 7_000;
const LOCK_LIMIT_MS = 15_000;

const main = async (): Promise<number> => {
  const options = parseLabOptions(process.argv.slice(2));
  if (options === 'help') {
    console.log(LAB_HELP);
    return 0;
  }
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  const logFile = openLogFile({ file: join(options.stateDir, 'lab.log') });
  const level = process.env.RUNM_LOG_LEVEL === 'debug' ? 'debug' : 'info';
  const log = createLog({ name: 'lab', level, destination: logFile });
  const ended = new AbortController();
  let isOrphan = false;
  process.on('SIGTERM', () => ended.abort()).on('SIGINT', () => ended.abort());
  process.on('disconnect', () => {
    isOrphan = true;
    ended.abort();
  });
  const onFatal = (error: unknown): void => {
    log.fatal({ err: error }, 'unhandled; stopping');
    logFile.flush();
    process.exit(1);
  };
  process.on('unhandledRejection', onFatal).on('uncaughtException', onFatal);
  const lab = await startLab(options, {
    ...{ fronts: LAB_FRONTS, clock: systemClock, random: systemRandom, log },
    ...{ say: (line) => console.log(line), signal: ended.signal },
    // The lab of a start that was killed notices it at once, and takes a moment to let go.
    lockLimitMs: process.send === undefined ? 0 : LOCK_LIMIT_MS,
  });
  tell({ lab: 'ready', socket: lab.socket, status: lab.status() });
  if (process.send === undefined) describe(lab);
  await untilAborted(ended.signal);
  await (isOrphan ? lab.letGo() : lab.stop(GUESTS_STOP_MS));
  logFile.flush();
  return 0;
};

const tell = (message: LabMessage): void => {
  if (process.connected) process.send?.(message);
};

const describe = ({ status, socket }: Lab): void => {
  const { rack, machines, why, servers } = status();
  console.log(`rack ${rack}: ${machines === 'qemu' ? why : `servers are simulated: ${why}`}`);
  for (const { name, redfish, ipmi, credentialsFile } of servers) {
    console.log(`  ${name}  ${redfish}  ipmi ${ipmi}  credentials ${credentialsFile}`);
  }
  console.log(`control socket ${socket}; Ctrl-C stops it`);
};

const tellRefusal = (error: unknown): number => {
  const message = error instanceof Error ? error.message : String(error);
  tell({ lab: 'refused', message });
  console.error(`the lab cannot start: ${message}`);
  console.error('what to do: node deploy/lab/main.ts --help tells its options');
  if (!isDomainError(error)) console.error(error);
  return 1;
};

process.exit(await main().catch(tellRefusal));
