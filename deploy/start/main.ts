/**
 * `npm start`, `npm stop`, `npm run reset`: everything on this machine, for a newcomer's first
 * hour.
 */
import { goToBackground } from './background.ts';
import { HELP, parseStartOptions, StartRefused } from './options.ts';
import { reset } from './reset.ts';
import { runInForeground } from './run.ts';
import { DISK_FULL_CURE, isDiskFull } from './state-dir.ts';
import { stopRunning } from './stop.ts';

const main = async (): Promise<number> => {
  const options = parseStartOptions(process.argv.slice(2), process.env);
  if (options === 'help') {
    console.log(HELP);
    return 0;
  }
  if (options.verb === 'stop') return stopRunning(options.stateDir);
  if (options.verb === 'reset') return reset(options);
  if (options.background) return goToBackground(options);
  return runInForeground(options);
};

/** The cause and the cure are the last lines: what a person or a script reads first. */
const tellRefusal = (error: unknown): number => {
  if (error instanceof StartRefused) {
    console.error(`\nrunmachine cannot start: ${error.message}`);
    console.error(`what to do: ${error.cure}`);
    return 1;
  }
  const message = error instanceof Error ? error.message : String(error);
  console.error(`\nrunmachine cannot start: ${message}`);
  if (process.env.RUNM_LOG_LEVEL === 'debug') console.error(error);
  if (isDiskFull(error)) console.error(`what to do: ${DISK_FULL_CURE}`);
  else console.error('what to do: look into the log, or run again with RUNM_LOG_LEVEL=debug');
  return 1;
};

process.exit(await main().catch(tellRefusal));
