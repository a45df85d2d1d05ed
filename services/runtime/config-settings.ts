/**
 * The kinds of settings that a configuration is made of. Every setting reads a text (from the
 * environment) or a YAML value and answers a typed value, or says what would be right.
 */
export type Setting<T> = {
  readonly kind: 'setting';
  /** One sentence for the printed defaults, with the unit. */
  readonly describe: string;
  readonly fallback: T;
  /** What a person would write for the fallback. */
  readonly shown: string;
  readonly read: (value: unknown) => Read<T>;
};

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly want: string };

export type Section = { readonly [key: string]: Setting<unknown> | Section };

/** The typed configuration that a section describes. */
export type ConfigOf<S> =
  S extends Setting<infer T> ? T : { readonly [K in keyof S]: ConfigOf<S[K]> };

const good = <T>(value: T): Read<T> => ({ ok: true, value });
const bad = (want: string): { readonly ok: false; readonly want: string } => ({ ok: false, want });

/** A line of text. `pattern` is matched against the whole, `want` says it in words. */
export const text = (
  describe: string,
  fallback: string,
  rule?: { readonly pattern: RegExp; readonly want: string },
): Setting<string> => ({
  kind: 'setting',
  describe,
  fallback,
  shown: fallback,
  read: (value) => {
    if (typeof value !== 'string' && typeof value !== 'number') return bad(rule?.want ?? 'a text');
    const given = String(value);
    return rule === undefined || rule.pattern.test(given) ? good(given) : bad(rule.want);
  },
});

/** One of a few words. */
export const choice = <const T extends string>(
  describe: string,
  fallback: T,
  words: readonly T[],
): Setting<T> => ({
  kind: 'setting',
  describe: `${describe} One of ${words.join(', ')}.`,
  fallback,
  shown: fallback,
  read: (value) => {
    const found = words.find((word) => word === value);
    return found === undefined ? bad(`one of ${words.join(', ')}`) : good(found);
  },
});

export const flag = (describe: string, fallback: boolean): Setting<boolean> => ({
  kind: 'setting',
  describe,
  fallback,
  shown: String(fallback),
  read: (value) => {
    if (value === true || value === 'true') return good(true);
    return value === false || value === 'false' ? good(false) : bad('true or false');
  },
});

export const integer = (
  describe: string,
  fallback: number,
  { min, max }: { readonly min: number; readonly max: number },
): Setting<number> => ({
  kind: 'setting',
  describe,
  fallback,
  shown: String(fallback),
  read: (value) => {
    const isText = typeof value === 'string' && /^-?\d{1,15}$/.test(value);
    const number = isText ? Number(value) : value;
    return typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max
      ? good(number)
      : bad(`a whole number from ${min} to ${max}`);
  },
});

const DURATION_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A span such as "500ms", "10s", "5m", "1h", "30d"; the value is in milliseconds. */
export const durationMs = (describe: string, shown: string): Setting<number> => {
  const read = (value: unknown): Read<number> => {
    const [, count, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(String(value)) ?? [];
    if (count === undefined || !isUnit(unit))
      return bad('a span such as 500ms, 10s, 5m, 1h or 30d');
    return good(Number(count) * DURATION_MS[unit]);
  };
  return { kind: 'setting', describe, fallback: must(read(shown)), shown, read };
};

const isUnit = (unit: string | undefined): unit is keyof typeof DURATION_MS =>
  unit !== undefined && Object.hasOwn(DURATION_MS, unit);

const SIZES: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** A size such as "4MiB"; the value is in bytes. */
export const bytes = (describe: string, shown: string): Setting<number> => {
  const read = (value: unknown): Read<number> => {
    const [, count, unit = ''] = /^(\d{1,12})(KiB|MiB|GiB|TiB)?$/.exec(String(value)) ?? [];
    const factor = SIZES[unit];
    if (count === undefined || factor === undefined) return bad('a size such as 4096, 64KiB, 4MiB');
    return good(Number(count) * factor);
  };
  return { kind: 'setting', describe, fallback: must(read(shown)), shown, read };
};

/** A list of texts; in the environment separated by commas. */
export const list = (
  describe: string,
  fallback: readonly string[],
): Setting<readonly string[]> => ({
  kind: 'setting',
  describe,
  fallback,
  shown: `[${fallback.join(', ')}]`,
  read: (value) => {
    if (typeof value === 'string') {
      return good(
        value
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== ''),
      );
    }
    return Array.isArray(value) && value.every((item) => typeof item === 'string')
      ? good(value)
      : bad('a list of texts');
  },
});

/**
 * A list of sections of settings; in the environment as JSON. A field whose default is no good
 * value must be given.
 */
export const sections = <const F extends Readonly<Record<string, Setting<unknown>>>>(
  describe: string,
  fields: F,
): Setting<readonly ConfigOf<F>[]> => ({
  kind: 'setting',
  describe,
  fallback: [],
  shown: '[]',
  read: (value) => {
    const items = typeof value === 'string' ? parsed(value) : value;
    if (!Array.isArray(items)) return bad('a list');
    const read: ConfigOf<F>[] = [];
    for (const [index, item] of items.entries()) {
      const one = readFields(fields, item);
      if (!one.ok) return bad(`a list whose item ${index + 1} ${one.want}`);
      read.push(one.value as ConfigOf<F>);
    }
    return good(read);
  },
});

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const readFields = (
  fields: Readonly<Record<string, Setting<unknown>>>,
  item: unknown,
): Read<Readonly<Record<string, unknown>>> => {
  const known = Object.keys(fields).map(snake);
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    return bad(`has ${known.join(', ')}`);
  }
  const given = new Map<string, unknown>(Object.entries(item));
  const strange = [...given.keys()].find((key) => !known.includes(key));
  if (strange !== undefined) return bad(`has no "${strange}" but ${known.join(', ')}`);
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(fields)) {
    const name = snake(key);
    const read = setting.read(given.has(name) ? given.get(name) : setting.fallback);
    if (!read.ok) return bad(`has as "${name}" ${read.want}`);
    values[key] = read.value;
  }
  return good(values);
};

/** As keys are spelled in the file. */
export const snake = (key: string): string =>
  key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const must = <T>(read: Read<T>): T => {
  if (!read.ok) throw new Error(`A default is not ${read.want}`);
  return read.value;
};
