import type { ToolName } from './catalog.ts';
import { installCommand, isInPath, systemPackages } from './install-command.ts';
import { runCommand } from './run-command.ts';

const INSTALL_LIMIT_MS = 1_800_000;

/** Installs with apt-get. Undefined when it worked, else the reason in one line. */
export const installOnSystem = async (
  wanted: readonly ToolName[],
  { log, signal }: { log: (line: string) => void; signal: AbortSignal | undefined },
): Promise<string | undefined> => {
  const packages = systemPackages(wanted);
  if (packages.length === 0) return undefined;
  if (!isInPath('apt-get')) return 'this system has no apt-get';
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && !isInPath('sudo'))
    return `not root and no sudo; as root: ${installCommand(wanted)}`;
  log(`tools: installing ${packages.join(' ')}`);
  const run = (args: readonly string[]): ReturnType<typeof runCommand> => {
    // sudo may ask for the password on the terminal; without one it must not wait for ever.
    const sudo = process.stdin.isTTY ? ['sudo'] : ['sudo', '-n'];
    const [program = 'apt-get', ...rest] = [...(isRoot ? [] : sudo), 'apt-get', ...args];
    return runCommand(program, rest, {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      limitMs: INSTALL_LIMIT_MS,
      inherit: true,
      ...(signal === undefined ? {} : { signal }),
    });
  };
  const updated = await run(['update', '-q']);
  if (updated.exitCode !== 0) return `apt-get update ended with ${updated.exitCode}`;
  const installed = await run(['install', '-y', '-q', '--no-install-recommends', ...packages]);
  return installed.exitCode === 0 ? undefined : `apt-get install ended with ${installed.exitCode}`;
};
