/**
 * One object for equal values. A fleet of a million providers repeats a few hundred lists of
 * capabilities, offers and groups; kept once each they cost nothing, kept per provider they are
 * most of the memory of a leader.
 */
import type { CapacityRecord, Offers } from '../domain/capacity.ts';
import type { ClaimRecord, Property } from '../domain/claim.ts';
import type { Command, Draft } from '../domain/command.ts';
import type { Distance } from '../domain/topology.ts';
import type { What, Where } from './provider-facts.ts';

export type SharedValues = {
  readonly text: (text: string) => string;
  readonly set: (texts: readonly string[]) => ReadonlySet<string>;
  readonly offers: (offers: Offers) => Offers;
  readonly properties: (
    properties: readonly (readonly [string, Property])[],
  ) => ReadonlyMap<string, Property> | undefined;
  readonly distances: (distances: readonly Distance[]) => readonly Distance[] | undefined;
  /** Its parts are shared already. */
  readonly where: (where: Where) => Where;
  readonly what: (what: What) => What;
  readonly capacity: (record: CapacityRecord) => CapacityRecord;
  /** What claims have in common: most ask for the same. */
  readonly claim: (claim: ClaimRecord) => ClaimRecord;
  /** What the record that a command makes will have in common with others. */
  readonly command: (command: Command) => Command;
};

/**
 * Values remembered of each kind. Where every provider has values of its own nothing is shared, and
 * the memory of what was seen must not cost more than that.
 */
const KNOWN_MAX = 20_000;

/** `providerUid` gives the text of a uid that is in memory already. */
export const createSharedValues = (
  providerUid: (uid: string) => string = (uid) => uid,
): SharedValues => {
  const texts = createPool<string>();
  const sets = createPool<ReadonlySet<string>>();
  const offers = createPool<Offers>();
  const properties = createPool<ReadonlyMap<string, Property>>();
  const distances = createPool<readonly Distance[]>();
  const { shareClaim, shareSpec } = createClaimSharing(providerUid);
  /** Items of a batch come with one object for what they have in common. */
  const specs = new WeakMap<Draft['spec'], Draft['spec']>();
  const shareOffers = (given: Offers): Offers => offers(offersKey(given), () => given);
  return {
    text: (text) => texts(text, () => text),
    set: (given) => {
      if (given.length === 0) return NONE;
      return sets([...given].sort().join('\n'), () => new Set(given));
    },
    offers: shareOffers,
    properties: (given) =>
      given.length === 0 ? undefined : properties(JSON.stringify(given), () => new Map(given)),
    distances: (given) =>
      given.length === 0 ? undefined : distances(JSON.stringify(given), () => given),
    ...createFactsSharing(),
    // Written out: a copy of an object that was read takes half as much again.
    capacity: ({ generation, offers: given, closed, version, updateMs, mark = 0, ...record }) => ({
      providerUid: providerUid(record.providerUid),
      generation,
      offers: shareOffers(given),
      closed,
      version,
      updateMs,
      mark,
      ...(record.reshape !== undefined && { reshape: record.reshape }),
      ...(record.earlier !== undefined && { earlier: record.earlier }),
    }),
    command: (command) => {
      if (command.verb === 'set-capacity') {
        return { ...command, offers: shareOffers(command.offers) };
      }
      if (command.verb !== 'create' && command.verb !== 'execute') return command;
      const { draft } = command;
      const spec = specs.get(draft.spec) ?? shareSpec(draft.spec);
      specs.set(draft.spec, spec);
      return { ...command, draft: { ...draft, spec } };
    },
    claim: shareClaim,
  };
};

const createClaimSharing = (providerUid: (uid: string) => string) => {
  const values = createPool<unknown>();
  const texts = createPool<string>();
  /** The same object for equal ones; they are never changed. */
  const share = <T>(value: T): T => {
    if (typeof value === 'string') return texts(value, () => value) as T;
    const key = JSON.stringify(value);
    // What is equal as JSON has the same type, for it is asked for by its place in a record.
    return values(key, () => value) as T;
  };
  const shareSpec = <T extends Pick<ClaimRecord['spec'], 'groups' | 'consumer'>>(spec: T): T => {
    const { consumer } = spec;
    return {
      ...spec,
      groups: share(spec.groups),
      consumer: consumer === undefined ? undefined : { ...consumer, type: share(consumer.type) },
    };
  };
  const shareClaim = (claim: ClaimRecord): ClaimRecord => ({
    ...claim,
    partition: share(claim.partition),
    project: share(claim.project),
    owner: share(claim.owner),
    ancestors: share(claim.ancestors),
    properties: share(claim.properties),
    tags: share(claim.tags),
    spec: shareSpec(claim.spec),
    providers: claim.providers.map((one) => ({ ...one, uid: providerUid(one.uid) })),
    placements: share(claim.placements),
    requests: claim.requests.map((note) => ({
      ...note,
      verb: share(note.verb),
      caller: share(note.caller),
    })),
  });
  return { shareSpec, shareClaim };
};

/** Where and what providers are, told apart by their parts, which are shared already. */
const createFactsSharing = () => {
  const wheres = createPool<Where>();
  const whats = createPool<What>();
  const numbers = new WeakMap<object, number>();
  let last = 0;
  const numberOf = (part: object | undefined): number => {
    if (part === undefined) return 0;
    const known = numbers.get(part);
    if (known !== undefined) return known;
    last += 1;
    numbers.set(part, last);
    return last;
  };
  const keyOf = (text: string, parts: readonly (object | undefined)[]): string =>
    `${text} ${parts.map(numberOf).join(' ')}`;
  return {
    where: (where: Where): Where => {
      const { parent, parentUid = '', groups, tags, distances } = where;
      return wheres(keyOf(`${parent} ${parentUid}`, [groups, tags, distances]), () => where);
    },
    what: (what: What): What =>
      whats(keyOf(what.type, [what.capabilities, what.offers]), () => what),
  };
};

const NONE: ReadonlySet<string> = new Set();

const offersKey = (offers: Offers): string => {
  let key = '';
  for (const [code, { usable, minUnit, maxUnit, stepSize }] of offers) {
    key += `${code} ${usable} ${minUnit} ${maxUnit} ${stepSize}\n`;
  }
  return key;
};

/** A longer key is hardly met twice, and 20 000 of them are more than what they would save. */
const KEY_LENGTH_MAX = 4_096;

export const createPool = <T>() => {
  const known = new Map<string, T>();
  return (key: string, make: () => T): T => {
    if (key.length > KEY_LENGTH_MAX) return make();
    const before = known.get(key);
    if (before !== undefined) return before;
    if (known.size >= KNOWN_MAX) known.clear();
    const made = make();
    known.set(key, made);
    return made;
  };
};
