/** Amounts and spans of time as people say them, exact, for the texts of refusals. */

/** Amounts of these built-in types are bytes; of all others there are so many. */
const BYTES = /^runm\.(memory|storage\.)/;

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** "64 GiB" of memory, "1.5 GiB", "32" of anything else. */
export const saidAmount = (resourceType: string, amount: number): string => {
  if (!BYTES.test(resourceType) || amount === 0) return String(amount);
  for (const [below, unit] of [...UNITS.entries()].toReversed()) {
    const hundredths = (amount / 1024 ** (below + 1)) * 100;
    if (hundredths >= 100 && Number.isInteger(hundredths)) return `${hundredths / 100} ${unit}`;
  }
  return `${amount} B`;
};

/** "64 GiB of runm.memory". */
export const saidOf = (resourceType: string, amount: number): string =>
  `${saidAmount(resourceType, amount)} of ${resourceType}`;

const SPANS = [
  ['day', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** "5 h", "1 day 12 h", "90 days", "0.5 s"; the two largest parts, the second rounded up. */
export const saidSpan = (ms: number): string => {
  if (ms < 60_000) return `${ms / 1000} s`;
  const largest = SPANS.findIndex(([, unitMs]) => ms >= unitMs);
  const [name = 's', unitMs = 1_000] = SPANS[largest] ?? [];
  const [nextName = 's', nextMs = 1_000] = SPANS[largest + 1] ?? [];
  const rounded = Math.ceil(ms / nextMs) * nextMs;
  const many = Math.floor(rounded / unitMs);
  const rest = (rounded - many * unitMs) / nextMs;
  const head = `${many} ${name === 'day' && many !== 1 ? 'days' : name}`;
  return rest === 0 ? head : `${head} ${rest} ${nextName}`;
};
