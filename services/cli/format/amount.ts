import { UsageError } from '../usage-error.ts';
import { formatSizeBytes, parseSizeBytes, readSize } from './size.ts';

/**
 * Amounts of the built-in types in bytes are sizes to people; of all others there are so many.
 * By the code alone, so that no server need be asked.
 */
const isBytes = (resourceType: string): boolean => /^runm\.(memory|storage\.)/.test(resourceType);

/** "64 GiB" of memory, "32" of anything else. */
export const formatAmount = (resourceType: string, amount: bigint): string =>
  isBytes(resourceType) && amount > 0n ? formatSizeBytes(amount) : String(amount);

/** An amount times seconds as amount times hours: "12.5 GiB h", "34.2 h", "0.01 h". */
export const formatAmountHours = (resourceType: string, amountSeconds: string): string => {
  const seconds = BigInt(amountSeconds);
  if (seconds === 0n) return '0 h';
  if (isBytes(resourceType) && seconds >= 3600n) return `${formatSizeBytes(seconds / 3600n)} h`;
  const [scale, digits] = seconds < 36_000n ? [100n, 2] : [10n, 1];
  const hours = Number((seconds * scale + 1800n) / 3600n) / Number(scale);
  return `${hours.toFixed(digits).replace(/\.?0+$/, '')} h`;
};

/** A size where the type is of bytes, else so many; `what` names it in an error. */
export const parseAmount = (resourceType: string, text: string, what: string): bigint => {
  if (!isBytes(resourceType) && readSize(text) === undefined) {
    throw new UsageError(`${what}: "${text}" is not an amount`, 'write it like 4');
  }
  return parseSizeBytes(text, what);
};

/** "runm.memory=64GiB" as a type and the text of its value. */
export const parseTyped = (text: string, what: string): [string, string] => {
  const match = /^([a-z0-9]+(?:[._-][a-z0-9]+)*)=(.+)$/.exec(text);
  if (!match) {
    throw new UsageError(`${what}: "${text}" is not TYPE=AMOUNT`, 'for example runm.memory=64GiB');
  }
  return [match[1] ?? '', match[2] ?? ''];
};
