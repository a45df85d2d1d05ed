import manifest from '../../../package.json' with { type: 'json' };
import type { Command } from '../command.ts';
import { jsonText } from '../format/json-text.ts';

export const version: Command = {
  summary: 'show the version of runm',
  offline: true,
  run: async ({ output }) => {
    const found = manifest.version;
    if (output.mode === 'json') output.result(jsonText({ version: found, node: process.version }));
    else output.result(`runm ${found} (Node ${process.versions.node})`);
    return undefined;
  },
};
