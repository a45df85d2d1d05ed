import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { hostArchitecture, type ToolName, toolCatalog } from './catalog.ts';

/**
 * The command that people type to have these tools from their system, or a sentence where there is
 * none.
 */
export const installCommand = (
  wanted: readonly ToolName[],
  has: (program: string) => boolean = isInPath,
): string => {
  const catalog = toolCatalog(hostArchitecture() ?? 'amd64');
  const tools = wanted.map((name) => catalog[name]);
  const manager = (['apt-get', 'dnf', 'pacman', 'brew'] as const).find(has);
  const names = (of: 'dnf' | 'pacman' | 'brew'): string =>
    [...new Set(tools.map((tool) => tool.elsewhere[of]).filter((name) => name !== ''))].join(' ');
  switch (manager) {
    case 'apt-get': {
      const packages = systemPackages(wanted).join(' ');
      if (packages === '') return 'sudo apt-get update';
      return `sudo apt-get update && sudo apt-get install --no-install-recommends ${packages}`;
    }
    case 'dnf':
      return told('sudo dnf install', names('dnf'), wanted);
    case 'pacman':
      return told('sudo pacman -S', names('pacman'), wanted);
    case 'brew':
      return told('brew install', names('brew'), wanted);
    case undefined:
      return `Install ${wanted.join(', ')} with this system's package manager`;
  }
};

/** Packages to install; never a kernel, which would change how the machine itself boots. */
export const systemPackages = (wanted: readonly ToolName[]): readonly string[] => {
  const catalog = toolCatalog(hostArchitecture() ?? 'amd64');
  const names = wanted
    .filter((name) => name !== 'kernel')
    .flatMap((name) => catalog[name].packages.map((alternatives) => alternatives[0] ?? ''));
  return [...new Set(names)];
};

const told = (command: string, names: string, wanted: readonly ToolName[]): string =>
  names === '' ? `no package of this system has ${wanted.join(', ')}` : `${command} ${names}`;

export const isInPath = (program: string): boolean =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/sbin', '/bin']
    .filter((folder) => folder !== '')
    .some((folder) => {
      try {
        accessSync(join(folder, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
