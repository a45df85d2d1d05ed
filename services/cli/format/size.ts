import { UsageError } from '../usage-error.ts';

const UNITS: Readonly<Record<string, bigint>> = {
  b: 1n,
  k: 1024n,
  kib: 1024n,
  kb: 1000n,
  m: 1024n ** 2n,
  mib: 1024n ** 2n,
  mb: 1000n ** 2n,
  g: 1024n ** 3n,
  gib: 1024n ** 3n,
  gb: 1000n ** 3n,
  t: 1024n ** 4n,
  tib: 1024n ** 4n,
  tb: 1000n ** 4n,
  p: 1024n ** 5n,
  pib: 1024n ** 5n,
  pb: 1000n ** 5n,
};

/** Bytes of a size as people write it: "256MiB", "2G", "1.5GiB", "1048576". */
export const parseSizeBytes = (text: string, what: string): bigint => {
  const bytes = readSize(text);
  if (bytes === undefined) {
    throw new UsageError(`${what}: "${text}" is not a size`, 'write it like 256MiB, 2GiB or 10GB');
  }
  if (bytes > MOST) throw new UsageError(`${what}: "${text}" is too much`);
  return bytes;
};

/** What a message of the contract can hold. */
const MOST = 2n ** 64n - 1n;

/** undefined = it is none. */
export const readSize = (text: string): bigint | undefined => {
  const match = /^(\d{1,19})(?:\.(\d{1,3}))?\s*([a-z]*)$/i.exec(text.trim());
  const unit = UNITS[match?.[3]?.toLowerCase() || 'b'];
  if (!match || unit === undefined) return undefined;
  const fraction = (match[2] ?? '').padEnd(3, '0');
  return ((BigInt(match[1] ?? '0') * 1000n + BigInt(fraction)) * unit) / 1000n;
};

/** "256 MiB", "1.5 GiB"; "-" for zero. */
export const formatSizeBytes = (bytes: bigint): string => {
  if (bytes === 0n) return '-';
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = Number(bytes);
  let index = 0;
  while (value >= 1024 && index < names.length - 1) {
    value /= 1024;
    index += 1;
  }
  return `${value.toFixed(1).replace(/\.0$/, '')} ${names[index]}`;
};
