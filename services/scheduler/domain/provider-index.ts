/**
 * The providers of a partition as placement sees them. A shape is a class of providers that offer
 * the same and have the same capabilities; most filters look at shapes, so their cost follows the
 * number of shapes and not of providers.
 */
import {
  type CapacityRecord,
  isClosed,
  type Offers,
  offersInForce,
  type ProviderFacts,
} from './capacity.ts';
import type { Hold } from './hold.ts';
import type { Topology } from './topology.ts';

export type Shape = {
  readonly key: string;
  readonly offers: Offers;
  readonly capabilities: ReadonlySet<string>;
  readonly members: Set<Member>;
};

export type Member = {
  readonly uid: string;
  facts: ProviderFacts | undefined;
  capacity: CapacityRecord | undefined;
  /** Nothing new may be placed; also while a change of its capacity is being committed. */
  closed: boolean;
  shape: Shape;
  /** By claim uid. */
  readonly holds: Map<string, Hold>;
};

export type ProviderIndex = {
  readonly shapes: () => Iterable<Shape>;
  readonly find: (uid: string) => Member | undefined;
  readonly size: () => number;
  readonly factsOf: (uid: string) => ProviderFacts | undefined;
  /** No new claim may be placed there; so for a provider that is not known. */
  readonly isShut: (uid: string) => boolean;
  /** Everything that claims hold of it, those to come too. */
  readonly holdsOn: (uid: string) => Iterable<Hold>;
  readonly setTopology: (topology: Topology) => void;
  readonly setFacts: (uid: string, facts: ProviderFacts | undefined) => void;
  readonly setCapacity: (uid: string, record: CapacityRecord | undefined) => void;
  /** Nothing more is placed on it until its capacity is set. */
  readonly shut: (uid: string) => void;
  readonly setHold: (uid: string, claimUid: string, hold: Hold | undefined) => void;
};

const NO_CODES: ReadonlySet<string> = new Set();

export const createProviderIndex = (): ProviderIndex => {
  const members = new Map<string, Member>();
  const shapes = new Map<string, Shape>();

  const shapeFor = (
    facts: ProviderFacts | undefined,
    record: CapacityRecord | undefined,
  ): Shape => {
    const offers = offersInForce(facts, record);
    const capabilities = facts?.capabilities ?? NO_CODES;
    const key = shapeKey(facts?.type ?? '', offers, capabilities);
    const shape = shapes.get(key) ?? { key, offers, capabilities, members: new Set<Member>() };
    shapes.set(key, shape);
    return shape;
  };
  const memberOf = (uid: string): Member => {
    const known = members.get(uid);
    if (known !== undefined) return known;
    const shape = shapeFor(undefined, undefined);
    const holds = new Map<string, Hold>();
    const made: Member = { uid, facts: undefined, capacity: undefined, closed: true, shape, holds };
    shape.members.add(made);
    members.set(uid, made);
    return made;
  };
  const leave = (member: Member): void => {
    member.shape.members.delete(member);
    if (member.shape.members.size === 0) shapes.delete(member.shape.key);
  };
  const settle = (member: Member): void => {
    leave(member);
    if (member.facts === undefined && member.capacity === undefined && member.holds.size === 0) {
      members.delete(member.uid);
      return;
    }
    member.closed = isClosed(member.facts, member.capacity);
    member.shape = shapeFor(member.facts, member.capacity);
    member.shape.members.add(member);
  };

  return {
    shapes: () => shapes.values(),
    find: (uid) => members.get(uid),
    size: () => members.size,
    factsOf: (uid) => members.get(uid)?.facts,
    isShut: (uid) => members.get(uid)?.closed ?? true,
    holdsOn: (uid) => members.get(uid)?.holds.values() ?? [],
    setTopology: () => undefined,
    setFacts: (uid, facts) => {
      const member = memberOf(uid);
      const isShut = member.closed && !isClosed(member.facts, member.capacity);
      member.facts = facts;
      settle(member);
      // A change of capacity is on its way: what the watch tells meanwhile must not open the
      // provider.
      if (isShut) member.closed = true;
    },
    setCapacity: (uid, record) => {
      const member = memberOf(uid);
      member.capacity = record;
      settle(member);
    },
    shut: (uid) => {
      memberOf(uid).closed = true;
    },
    setHold: (uid, claimUid, hold) => {
      const member = memberOf(uid);
      if (hold === undefined) member.holds.delete(claimUid);
      else member.holds.set(claimUid, hold);
      if (hold === undefined && member.facts === undefined) settle(member);
    },
  };
};

const shapeKey = (type: string, offers: Offers, capabilities: ReadonlySet<string>): string =>
  JSON.stringify([
    type,
    [...offers]
      .map(([code, { usable, minUnit, maxUnit, stepSize }]) =>
        [code, usable, minUnit, maxUnit, stepSize].join(' '),
      )
      .sort(),
    [...capabilities].sort(),
  ]);
