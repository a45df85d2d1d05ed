/**
 * How a system program is run. It may lie in a folder of our own instead of being installed, so
 * `args` (for example `-L <firmware folder>`) come before all other arguments and `env` (for
 * example LD_LIBRARY_PATH) is added to ours.
 */
export type Program = {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

/** The program's environment: only what it needs of ours, because ours may hold secrets. */
export const programEnvironment = (program: Program): Record<string, string> => {
  const inherited = ['PATH', 'HOME', 'LANG', 'TMPDIR'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(inherited), ...program.env };
};

/** The part of a pino logger that the driver uses. */
export type DriverLog = {
  readonly debug: (data: object, message: string) => void;
  readonly info: (data: object, message: string) => void;
  readonly warn: (data: object, message: string) => void;
  readonly error: (data: object, message: string) => void;
};
