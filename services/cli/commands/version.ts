import { readFileSync } from 'node:fs';
import type { Command } from '../command.ts';
import { jsonText } from '../format/json-text.ts';

export const version: Command = {
  summary: 'show the version of runm',
  offline: true,
  run: async (context) => {
    const file = new URL('../../../package.json', import.meta.url);
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const found =
      typeof parsed === 'object' && parsed !== null && 'version' in parsed
        ? String(parsed.version)
        : 'unknown';
    const { output } = context;
    if (output.mode === 'json') output.result(jsonText({ version: found, node: process.version }));
    else output.result(`runm ${found} (Node ${process.versions.node})`);
    return undefined;
  },
};
