import { invalidArgument } from '../../runtime/errors.ts';

/** An address to be looked at. `port` undefined: each protocol's own. */
export type ScanTarget = { readonly host: string; readonly port?: number };

const ADDRESSES_MAX = 4_096;

/**
 * Addresses of "10.0.0.1-10.0.0.99", "10.0.0.0/24" or "10.0.0.7", each with ":port" where it is not
 * the protocol's own; each once, in the order of the ranges. Errors: invalid_argument
 * INVALID_FIELD.
 */
export const scanTargets = (ranges: readonly string[]): readonly ScanTarget[] => {
  const found = new Map<string, ScanTarget>();
  for (const range of ranges) {
    const { first, last, port } = boundsOf(range);
    if (last - first >= ADDRESSES_MAX || found.size > ADDRESSES_MAX) throw tooMany(range);
    for (let number = first; number <= last; number += 1) {
      const host = dotted(number);
      found.set(`${host}:${port ?? ''}`, port === undefined ? { host } : { host, port });
    }
  }
  if (found.size > ADDRESSES_MAX) throw tooMany(ranges.join(', '));
  return [...found.values()];
};

type Bounds = {
  readonly first: number;
  readonly last: number;
  readonly port: number | undefined;
};

const boundsOf = (range: string): Bounds => {
  const [, text = '', portText] = /^([^:]*)(?::(\d{1,5}))?$/.exec(range.trim()) ?? [];
  const port = portText === undefined ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535)) throw wrong(range, 'has no such port');
  const [from = '', to] = text.split('-');
  if (to !== undefined) return ordered(range, { from, to, port });
  const [base = '', bitsText] = text.split('/');
  const first = numberOf(base);
  if (first === undefined) throw wrong(range, 'is no IPv4 address');
  if (bitsText === undefined) return { first, last: first, port };
  return network(range, { first, bitsText, port });
};

type Ends = { readonly from: string; readonly to: string; readonly port: number | undefined };

const ordered = (range: string, { from, to, port }: Ends): Bounds => {
  const [first, last] = [numberOf(from), numberOf(to)];
  if (first === undefined || last === undefined) throw wrong(range, 'has an end that is no IPv4');
  if (last < first) throw wrong(range, 'ends before it begins');
  return { first, last, port };
};

type Net = {
  readonly first: number;
  readonly bitsText: string;
  readonly port: number | undefined;
};

const network = (range: string, { first, bitsText, port }: Net): Bounds => {
  const bits = /^\d{1,2}$/.test(bitsText) ? Number(bitsText) : 33;
  if (bits > 32) throw wrong(range, 'has a prefix that is not 0 to 32');
  const size = 2 ** (32 - bits);
  if (size > ADDRESSES_MAX) throw tooMany(range);
  const start = Math.floor(first / size) * size;
  // The first and last of a network are its own name and its broadcast (RFC 3021 excepts /31).
  const inner = size > 2 ? 1 : 0;
  return { first: start + inner, last: start + size - 1 - inner, port };
};

const numberOf = (text: string): number | undefined => {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text.trim())?.slice(1);
  const bytes = parts?.map(Number) ?? [256];
  if (bytes.some((byte) => byte > 255)) return undefined;
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
};

const dotted = (number: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');

const wrong = (range: string, why: string) =>
  invalidArgument('INVALID_FIELD', `ranges: "${range}" ${why}`, {
    metadata: { field: 'ranges' },
    violations: [{ field: 'ranges', description: `"${range}" ${why}` }],
  });

const tooMany = (range: string) => wrong(range, `holds more than ${ADDRESSES_MAX} addresses`);
