import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogOptions = {
  /** Name of the process in every line, for example "machine". */
  readonly name: string;
  readonly level: LogLevel;
  /** Where the lines go; absent = standard output. See log-file.ts for a file with rotation. */
  readonly destination?: DestinationStream;
};

// Key names that hold secrets, one and two levels deep: pino redacts by path, not by name.
const SECRET_KEYS = [
  'token',
  'bootToken',
  'joinToken',
  'secret',
  'password',
  'privateKey',
  'key_pem',
  'keyPem',
  'authorization',
  'cookie',
];

/**
 * A JSON logger; values under keys that name secrets are replaced. The level may be changed while
 * it runs.
 */
export const createLog = (options: LogOptions): Logger => {
  const settings = {
    name: options.name,
    level: options.level,
    base: { name: options.name, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: {
      paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
      censor: '[redacted]',
    },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
};

/** A logger that says nothing, for tests and pure tools. */
export const silentLog = (): Logger => pino({ level: 'silent' });

/** Changes the level at run time; refuses a word that is no level. */
export const setLogLevel = (log: Logger, level: string): boolean => {
  const known = LOG_LEVELS.find((one) => one === level);
  if (known === undefined) return false;
  log.level = known;
  return true;
};
