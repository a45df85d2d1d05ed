import { readFileSync } from 'node:fs';

/** Version of this checkout, from package.json. */
export const readVersion = (): string => {
  const file = new URL('../../package.json', import.meta.url);
  const parsed: { version?: unknown } = JSON.parse(readFileSync(file, 'utf8'));
  return typeof parsed.version === 'string' ? parsed.version : '0.0.0';
};
