import { systemClock } from '../../services/runtime/clock.ts';
import { lockHolder } from '../../services/runtime/lock-file.ts';

const STOP_LIMIT_MS = 30_000;

/**
 * Ends the installation that runs on this state directory: its guests are asked to power off, then
 * forced.
 */
export const stopRunning = async (stateDir: string): Promise<number> => {
  const holder = lockHolder(stateDir);
  if (holder === undefined) {
    console.log(`nothing runs on ${stateDir}`);
    return 0;
  }
  console.log(`stopping process ${holder.pid} and its guests`);
  process.kill(holder.pid, 'SIGTERM');
  const endMs = systemClock.monotonicMs() + STOP_LIMIT_MS;
  while (systemClock.monotonicMs() < endMs) {
    const present = lockHolder(stateDir);
    if (present === undefined || present.startTime !== holder.startTime) {
      console.log('stopped; what was wanted is kept: npm start boots the machines again');
      return 0;
    }
    await systemClock.sleep(100);
  }
  console.error(`process ${holder.pid} did not end within ${STOP_LIMIT_MS / 1000} s`);
  console.error(
    `what to do: look into ${stateDir}/runmachine.log; kill ${holder.pid} ends it at once`,
  );
  return 1;
};
