/**
 * Messages at random, by descriptor: most keep the rules of the contract, some break them anywhere.
 */
import { type DescField, type DescMessage, getOption, type Message } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import {
  type FieldRules,
  field as fieldRules,
  Ignore,
  oneof as oneofRules,
  type StringRules,
} from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js';
import fc, { type GeneratorValue } from 'fast-check';

/** Texts that mean something to the server: names, uids, tokens. */
export type Pool = {
  /** Drawn where they fit the rules. */
  readonly texts: readonly string[];
  /** Drawn for a field of that name. */
  readonly fields: Readonly<Record<string, readonly string[]>>;
};

type Draw = {
  readonly g: GeneratorValue;
  readonly pool: Pool;
  /** How many fields of a hundred may break their rules. */
  readonly wild: number;
  /** How many messages may still lie in this one: lists in lists would have millions. */
  left: number;
};

export const randomMessage = (desc: DescMessage, pool: Pool): fc.Arbitrary<Message> =>
  fc.gen().map((g) => {
    const wild = g(fc.nat, { max: 99 }) < 25 ? 30 : 0;
    return build({ g, pool, wild, left: INNER_MAX }, desc, 0).message;
  });

const DEPTH_MAX = 5;
const INNER_MAX = 1_000;

const build = (draw: Draw, desc: DescMessage, depth: number): ReflectMessage => {
  const message = reflect(desc, undefined, false);
  draw.left -= 1;
  if (desc.typeName.startsWith('google.protobuf.')) {
    fillWellKnown(draw, message);
    return message;
  }
  for (const oneof of desc.oneofs) {
    const required = getOption(oneof, oneofRules).required === true;
    const field = oneof.fields[draw.g(fc.nat, { max: oneof.fields.length - 1 })];
    if (field === undefined || !(required || chance(draw, 70))) continue;
    // A oneof that must be set is set, whatever else is left out.
    if (required && field.fieldKind === 'message') {
      message.set(field, build(draw, field.message, depth + 1));
    } else fill(draw, message, field, depth);
  }
  for (const field of desc.fields) {
    if (field.oneof === undefined) fill(draw, message, field, depth);
  }
  return message;
};

const chance = ({ g }: Draw, percent: number): boolean => g(fc.nat, { max: 99 }) < percent;
const count = ({ g }: Draw, max: number): number => g(fc.nat, { max });

const fill = (draw: Draw, message: ReflectMessage, field: DescField, depth: number): void => {
  const rules = getOption(field, fieldRules);
  const isWild = draw.wild > 0 && chance(draw, draw.wild);
  switch (field.fieldKind) {
    case 'message':
      if (!rules.required && (depth >= DEPTH_MAX || isWild || chance(draw, 30))) return;
      message.set(field, build(draw, field.message, depth + 1));
      return;
    case 'list':
      fillList(draw, message, field, { rules, depth, isWild });
      return;
    case 'map':
      fillMap(draw, message, field, { rules, depth, isWild });
      return;
    default:
      if (rules.ignore === Ignore.IF_ZERO_VALUE && chance(draw, 50)) return;
      message.set(field, isWild ? wildValue(draw, field) : tameValue(draw, field, rules));
  }
};

type Kind = { readonly rules: FieldRules; readonly depth: number; readonly isWild: boolean };
type OfKind<K extends DescField['fieldKind']> = Extract<DescField, { fieldKind: K }>;

const fillList = (draw: Draw, message: ReflectMessage, field: OfKind<'list'>, kind: Kind): void => {
  const { rules, depth, isWild } = kind;
  const own = rules.type.case === 'repeated' ? rules.type.value : undefined;
  const min = Number(own?.minItems ?? 0n);
  const max = Math.max(min, Math.min(Number(own?.maxItems || 3n), depth >= DEPTH_MAX ? 0 : 3));
  const items = isWild ? count(draw, 70) : min + count(draw, max - min);
  const seen = new Set<unknown>();
  for (let at = 0; at < items; at += 1) {
    if (field.listKind === 'message') {
      if (at >= min && draw.left <= 0) break;
      message.get(field).add(build(draw, field.message, depth + 1));
      continue;
    }
    const value = isWild ? wildValue(draw, field) : tameValue(draw, field, own?.items);
    if (own?.unique === true && seen.has(value)) continue;
    seen.add(value);
    message.get(field).add(value);
  }
};

const fillMap = (draw: Draw, message: ReflectMessage, field: OfKind<'map'>, kind: Kind): void => {
  const { rules, depth, isWild } = kind;
  const own = rules.type.case === 'map' ? rules.type.value : undefined;
  for (let at = count(draw, isWild ? 70 : 2); at > 0; at -= 1) {
    const key = isWild ? text(draw, 200) : tameText(draw, '', stringRulesOf(own?.keys));
    if (field.mapKind === 'message' && draw.left <= 0) break;
    const value =
      field.mapKind === 'message'
        ? build(draw, field.message, depth + 1)
        : tameValue(draw, field, own?.values);
    message.get(field).set(key, value);
  }
};

type Valued = {
  readonly name: string;
  readonly scalar?: number | undefined;
  readonly enum?: { readonly values: readonly { readonly number: number }[] } | undefined;
};

/** Numbers of descriptor.proto's types, which protobuf-es has as an enum. */
const TYPES = { double: 1, float: 2, int64: 3, uint64: 4, int32: 5, fixed64: 6, fixed32: 7 };
const MORE = { bool: 8, string: 9, bytes: 12, uint32: 13, sfixed32: 15, sfixed64: 16 };
const BIG = new Set([TYPES.int64, TYPES.uint64, TYPES.fixed64, MORE.sfixed64, 18]);
const UNSIGNED = new Set([TYPES.uint64, TYPES.fixed64, TYPES.fixed32, MORE.uint32]);

const tameValue = (draw: Draw, field: Valued, rules: FieldRules | undefined): unknown => {
  if (field.enum !== undefined) {
    const refused = rules?.type.case === 'enum' ? rules.type.value.notIn : [];
    const numbers = field.enum.values.map(({ number }) => number);
    return draw.g(fc.constantFrom, ...numbers.filter((one) => !refused.includes(one)));
  }
  if (field.scalar === MORE.string) {
    // Nothing may be fetched from anywhere but this machine.
    if (field.name === 'url') return 'http://127.0.0.1:1/nothing';
    return tameText(draw, field.name, stringRulesOf(rules));
  }
  if (field.scalar === MORE.bytes) {
    const own = rules?.type.case === 'bytes' ? rules.type.value : undefined;
    const exact = Number(own?.len ?? 0n);
    const lengths = {
      minLength: exact,
      maxLength: exact || Math.min(Number(own?.maxLen || 64n), 64),
    };
    return draw.g(fc.uint8Array, lengths);
  }
  if (field.scalar === MORE.bool) return chance(draw, 50);
  if (field.scalar === TYPES.double || field.scalar === TYPES.float) {
    return draw.g(fc.constantFrom, 0, 1, -1.5, 1e300, Number.NaN, Number.POSITIVE_INFINITY);
  }
  const small = 1 + count(draw, 3);
  if (field.scalar !== undefined && BIG.has(field.scalar)) {
    const least = rules?.type.case === 'uint64' && rules.type.value.greaterThan.case ? 1n : 0n;
    return draw.g(fc.constantFrom, least, 1n, BigInt(small), 2n ** 28n, 2n ** 63n - 1n);
  }
  const bound = rules?.type.case === 'uint32' ? rules.type.value.lessThan.value : undefined;
  return draw.g(fc.constantFrom, small, 1, Math.min(bound === undefined ? 2 ** 31 - 1 : 50, 1000));
};

const wildValue = (draw: Draw, field: Valued): unknown => {
  const { g } = draw;
  if (field.enum !== undefined) return g(fc.integer, { min: -(2 ** 31), max: 2 ** 31 - 1 });
  if (field.scalar === MORE.string) return field.name === 'url' ? 'no url' : text(draw, 2_000);
  if (field.scalar === MORE.bytes) return g(fc.uint8Array, { maxLength: 2_000 });
  if (field.scalar === MORE.bool) return true;
  if (field.scalar === TYPES.double || field.scalar === TYPES.float) return g(fc.double);
  const unsigned = field.scalar !== undefined && UNSIGNED.has(field.scalar);
  if (field.scalar !== undefined && BIG.has(field.scalar)) {
    return unsigned ? g(fc.bigInt, { min: 0n, max: 2n ** 64n - 1n }) : g(fc.bigInt, INT64);
  }
  return unsigned ? g(fc.nat, { max: 2 ** 31 - 1 }) : g(fc.integer);
};

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

const stringRulesOf = (rules: FieldRules | undefined): StringRules | undefined =>
  rules?.type.case === 'string' ? rules.type.value : undefined;

const tameText = (draw: Draw, name: string, rules: StringRules | undefined): string => {
  const { g, pool } = draw;
  const known = pool.fields[name];
  if (known !== undefined && chance(draw, 90)) return g(fc.constantFrom, ...known);
  if (rules === undefined)
    return chance(draw, 60) ? g(fc.constantFrom, ...pool.texts) : text(draw, 40);
  if (rules.in.length > 0) return g(fc.constantFrom, ...rules.in);
  if (rules.wellKnown.case === 'ip') return '127.0.0.1';
  const isUuid = rules.wellKnown.case === 'uuid';
  const fitting = fits(pool.texts, rules);
  if (name !== 'request_id' && fitting.length > 0 && chance(draw, 80))
    return g(fc.constantFrom, ...fitting);
  if (isUuid) return g(fc.uuid);
  if (rules.pattern !== '') return g(matching(rules.pattern));
  const max = Number(rules.maxLen || rules.maxBytes || 40n);
  const full = 'x'.repeat(max);
  const made = chance(draw, 5) ? full : text(draw, Math.min(max, 40));
  return made.length < Number(rules.minLen) ? full : made;
};

const matchers = new Map<string, () => fc.Arbitrary<string>>();

/** One builder per pattern: fast-check takes two regular expressions for the same argument. */
const matching = (pattern: string): (() => fc.Arbitrary<string>) => {
  const known = matchers.get(pattern);
  if (known !== undefined) return known;
  const made = fc.stringMatching(new RegExp(pattern), { size: 'xsmall' });
  const builder = () => made;
  matchers.set(pattern, builder);
  return builder;
};

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const fits = (texts: readonly string[], rules: StringRules): readonly string[] => {
  const pattern = rules.wellKnown.case === 'uuid' ? UUID : new RegExp(rules.pattern);
  const max = Number(rules.maxLen) || Number.POSITIVE_INFINITY;
  return texts.filter(
    (one) => one.length >= Number(rules.minLen) && one.length <= max && pattern.test(one),
  );
};

/** Any characters: control characters, NUL, other scripts, and what looks like syntax. */
const text = (draw: Draw, max: number): string =>
  chance(draw, 40)
    ? draw.g(fc.constantFrom, ...NASTY)
    : draw.g(fc.string, { unit: 'binary', maxLength: max });

const NASTY = [
  '',
  ' ',
  '-',
  '..',
  '%',
  "'; drop table machine; --",
  '\u0000',
  '{"$ne":1}',
  '\ufffd',
];

/** Times, spans, masks and wrapped values: at random within and beyond what they may hold. */
const fillWellKnown = (draw: Draw, message: ReflectMessage): void => {
  const { g } = draw;
  const isWild = chance(draw, draw.wild);
  for (const field of message.fields) {
    if (field.fieldKind === 'list' && field.name === 'paths') {
      for (let at = 1 + count(draw, 2); at > 0; at -= 1) {
        message.get(field).add(isWild ? text(draw, 40) : g(fc.constantFrom, ...PATHS));
      }
    } else if (field.fieldKind === 'scalar' && field.name === 'seconds') {
      message.set(field, isWild ? g(fc.bigInt, INT64) : BigInt(1 + count(draw, 120)));
    } else if (field.fieldKind === 'scalar' && field.name === 'nanos') {
      message.set(field, isWild ? g(fc.integer) : 0);
    } else if (field.fieldKind === 'scalar') {
      message.set(field, wildValue(draw, field));
    }
  }
};

const PATHS = ['spec', 'tags', 'properties', 'spec.description', 'spec.boot', 'spec.inventories'];
