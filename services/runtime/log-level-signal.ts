import { type Logger, setLogLevel } from './log.ts';

/**
 * SIGUSR2 turns debug lines on, and off again: the level changes while the process runs, without a
 * restart that would hide what is looked for. A child logger keeps its own level, so all are named.
 */
export const toggleDebugOnSignal = (loggers: () => readonly Logger[]): Disposable => {
  const before = new Map<Logger, string>();
  const onSignal = (): void => {
    const all = loggers();
    const turnsOn = before.size === 0;
    for (const log of all) {
      if (turnsOn) before.set(log, log.level);
      setLogLevel(log, turnsOn ? 'debug' : (before.get(log) ?? 'info'));
    }
    if (!turnsOn) before.clear();
    all[0]?.info({ debug: turnsOn }, 'log level changed');
  };
  process.on('SIGUSR2', onSignal);
  return { [Symbol.dispose]: () => process.off('SIGUSR2', onSignal) };
};
