import manifest from '../../../package.json' with { type: 'json' };
import type { Command } from '../command.ts';
import { showData } from '../output.ts';

export const version: Command = {
  summary: 'show the version of runm',
  offline: true,
  run: async ({ output }) => {
    const found = manifest.version;
    const people = () => `runm ${found} (Node ${process.versions.node})`;
    await showData(output, { version: found, node: process.version }, people);
    return undefined;
  },
};
