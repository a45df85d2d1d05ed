import { UsageError } from '../usage-error.ts';
import { formatSizeBytes, parseSizeBytes } from './size.ts';

/**
 * Amounts of the built-in types in bytes are sizes to people; of all others there are so many.
 * By the code alone, so that no server need be asked.
 */
const isBytes = (resourceType: string): boolean => /^runm\.(memory|storage\.)/.test(resourceType);

/** "64 GiB" of memory, "32" of anything else. */
export const formatAmount = (resourceType: string, amount: bigint): string =>
  isBytes(resourceType) && amount > 0n ? formatSizeBytes(amount) : String(amount);

/** An amount times seconds as amount times hours: "12.5 GiB h", "34.2 h". */
export const formatAmountHours = (resourceType: string, amountSeconds: string): string => {
  const tenths = (BigInt(amountSeconds) * 10n) / 3600n;
  if (isBytes(resourceType)) return tenths < 10n ? '0' : `${formatSizeBytes(tenths / 10n)} h`;
  return `${tenths / 10n}${tenths % 10n === 0n ? '' : `.${tenths % 10n}`} h`;
};

export const parseAmount = (text: string, what: string): bigint => parseSizeBytes(text, what);

/** "runm.memory=64GiB" as a type and the text of its value. */
export const parseTyped = (text: string, what: string): [string, string] => {
  const match = /^([a-z0-9]+(?:[._-][a-z0-9]+)*)=(.+)$/.exec(text);
  if (!match) {
    throw new UsageError(`${what}: "${text}" is not TYPE=AMOUNT`, 'for example runm.memory=64GiB');
  }
  return [match[1] ?? '', match[2] ?? ''];
};
