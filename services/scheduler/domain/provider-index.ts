/**
 * The providers of a partition as placement sees them: numbered, classed by shape, listed by group,
 * tag and property, linked into trees, with what claims hold of each now and later. Every change
 * costs what it touches, never the size of the fleet.
 */
import { type Booked, isBooked, isOnly, withOwn } from './bookings.ts';
import {
  type CapacityRecord,
  isClosed,
  type Offers,
  offersInForce,
  type ProviderFacts,
} from './capacity.ts';
import { CapacityBook, type CapacityTerms } from './capacity-book.ts';
import { createForest, type Forest } from './forest.ts';
import type { Hold } from './hold.ts';
import { NumberSet } from './number-set.ts';
import { changedGroups, createPlaces, type Place } from './places.ts';
import { createPostings, groupKey, keysOf, type Postings } from './postings.ts';
import { createShapeTable, type LoadClass, type Shape } from './shape.ts';
import { NO_TOPOLOGY, type Topology } from './topology.ts';
import { imply } from './tree-bookings.ts';
import { UidMap, UidNumbers } from './uid-map.ts';

export type Member = {
  readonly n: number;
  readonly uid: string;
  facts: ProviderFacts | undefined;
  /** A change of its capacity is being committed: nothing new may be placed. */
  shut: boolean;
  shape: Shape;
  place: Place;
  /** undefined = nothing. */
  booked: Booked | undefined;
  /** Where it is counted among those with claims. */
  load: LoadClass | undefined;
};

export type ProviderIndex = {
  readonly shapes: () => Iterable<Shape>;
  /** Grows when shapes or posted sets come or go: what was compiled of them before is old. */
  readonly version: () => number;
  readonly postings: Pick<Postings, 'of'>;
  readonly forest: Omit<Forest, 'setParent' | 'adopt' | 'orphan'>;
  /** Numbers of providers on which something new may be placed. */
  readonly open: NumberSet;
  /**
   * Numbers of all that there are. One that is deleted has a member for as long as a record or a
   * claim tells of it, and is none of these.
   */
  readonly all: NumberSet;
  readonly member: (n: number) => Member;
  readonly find: (uid: string) => Member | undefined;
  readonly size: () => number;
  /** Numbers below this one are in use or were. */
  readonly width: () => number;
  readonly factsOf: (uid: string) => ProviderFacts | undefined;
  /** Uids of those of which it is a part, nearest first; of its parts and theirs. */
  readonly above: (uid: string) => readonly string[];
  readonly below: (uid: string) => readonly string[];
  /** No new claim may be placed there; so for a provider that is not known. */
  readonly isShut: (uid: string) => boolean;
  /** Everything that claims hold of it, those to come too. */
  readonly holdsOn: (uid: string) => Iterable<Hold>;
  /** Numbers of the providers of which the claim, or the consumer, holds something. */
  readonly heldBy: (uid: string) => Iterable<number>;
  readonly topology: () => Topology;
  readonly setTopology: (topology: Topology) => void;
  readonly setFacts: (uid: string, facts: ProviderFacts | undefined) => void;
  readonly capacityOf: (uid: string) => CapacityRecord | undefined;
  readonly setCapacity: (uid: string, record: CapacityRecord | undefined) => void;
  /** Nothing more is placed on it until its capacity is set. */
  readonly shut: (uid: string) => void;
  readonly setHold: (uid: string, claimUid: string, hold: Hold | undefined) => void;
};

const NO_CODES: ReadonlySet<string> = new Set();
const NO_OFFERS: Offers = new Map();
const NOWHERE: Place = { ids: NO_CODES, keys: [] };

/** Uids of the providers that a claim, or a consumer with its claims, holds. */
export type HeldBy = (uid: string) => Iterable<string>;

/** `numbers` may be shared with others that know something of the same providers. */
export const createProviderIndex = (
  heldBy: HeldBy = () => [],
  numbers = new UidNumbers(),
): ProviderIndex => new Index(heldBy, numbers);

class Index implements ProviderIndex {
  readonly #numbers: UidNumbers;
  readonly #members: UidMap<Member>;
  readonly #capacities: CapacityBook;
  readonly #shapes = createShapeTable();
  readonly postings = createPostings();
  readonly forest = createForest((uid) => this.find(uid)?.n);
  readonly open = new NumberSet();
  readonly all = new NumberSet();
  readonly #heldBy: HeldBy;
  #topology: Topology = NO_TOPOLOGY;
  /** Machines of a claim are booked one after the other, and share what is booked of them. */
  #lastBooked: Booked | undefined;
  readonly #places = createPlaces(NO_TOPOLOGY);

  constructor(heldBy: HeldBy, numbers: UidNumbers) {
    this.#heldBy = heldBy;
    this.#numbers = numbers;
    this.#members = new UidMap(numbers);
    this.#capacities = new CapacityBook(numbers);
  }

  heldBy = (uid: string): readonly number[] =>
    [...this.#heldBy(uid)].flatMap((provider) => this.find(provider)?.n ?? []);

  shapes = (): Iterable<Shape> => this.#shapes.all();
  version = (): number => this.#shapes.version() + this.postings.version();
  size = (): number => this.#members.size;
  width = (): number => this.#members.width;
  topology = (): Topology => this.#topology;
  find = (uid: string): Member | undefined => this.#members.get(uid);
  factsOf = (uid: string): ProviderFacts | undefined => this.find(uid)?.facts;
  capacityOf = (uid: string): CapacityRecord | undefined => this.#capacities.get(uid);
  above = (uid: string): readonly string[] => this.#uidsOf(uid, this.forest.above);
  below = (uid: string): readonly string[] => this.#uidsOf(uid, this.forest.below);
  holdsOn = (uid: string): Iterable<Hold> => this.find(uid)?.booked?.own ?? [];

  member = (n: number): Member => {
    const member = this.#members.at(n);
    if (member === undefined) throw new Error(`No provider has the number ${n}`);
    return member;
  };

  #uidsOf(uid: string, numbersOf: (n: number) => readonly number[]): readonly string[] {
    const n = this.find(uid)?.n;
    return n === undefined ? [] : numbersOf(n).map((one) => this.member(one).uid);
  }

  isShut = (uid: string): boolean => {
    const member = this.find(uid);
    return member === undefined || !this.open.has(member.n);
  };

  setTopology = (topology: Topology): void => {
    const changed = changedGroups(this.#topology, topology);
    this.#topology = topology;
    this.#places.change(topology, changed);
    // Whoever is in a group is listed by its id, whether or not the group is known.
    const touched = new Set([...changed].flatMap((id) => [...this.postings.of(groupKey(id))]));
    const depthOf = (n: number) => this.forest.above(n).length;
    const isFlat = this.forest.isFlat();
    // A part is where its whole is: wholes come first.
    const inOrder = isFlat ? touched : [...touched].sort((a, b) => depthOf(a) - depthOf(b));
    for (const n of inOrder) this.#settlePlace(n);
  };

  setFacts = (uid: string, facts: ProviderFacts | undefined): void => {
    const member = this.#memberOf(uid);
    const { n } = member;
    if (member.facts !== undefined) this.postings.remove(keysOf(member.facts), n);
    member.facts = facts;
    if (facts === undefined) this.all.delete(n);
    else {
      this.postings.add(keysOf(facts), n);
      this.all.add(n);
    }
    this.#relink(member, facts?.parentUid);
    this.#settlePlace(n);
    this.#settle(member);
  };

  setCapacity = (uid: string, record: CapacityRecord | undefined): void => {
    const member = this.#memberOf(uid);
    if (record === undefined) this.#capacities.delete(uid);
    else this.#capacities.put(record);
    member.shut = false;
    this.#settle(member);
  };

  shut = (uid: string): void => {
    const member = this.#memberOf(uid);
    member.shut = true;
    this.#settle(member);
  };

  setHold = (uid: string, claimUid: string, hold: Hold | undefined): void => {
    const member = hold === undefined ? this.find(uid) : this.#memberOf(uid);
    if (member === undefined) return;
    if (member.booked === undefined && hold === undefined) return;
    // What was taken with the decision is told once more with its commit.
    if (isBooked(member.booked, hold)) return;
    member.booked = this.#likeLast(member, hold) ?? withOwn(member.booked, claimUid, hold);
    this.#lastBooked = member.booked;
    if (this.forest.isInTree(member.n)) {
      for (const touched of imply(this, member, { claimUid, hold })) this.#settle(touched);
    }
    this.#settle(member);
  };

  /** What was booked last, when it is just this hold and nothing else is to be booked here. */
  #likeLast({ booked }: Member, hold: Hold | undefined): Booked | undefined {
    const last = this.#lastBooked;
    if (hold === undefined || last?.own[0] !== hold || !isOnly(last, hold.claimUid))
      return undefined;
    return booked === undefined || isOnly(booked, hold.claimUid) ? last : undefined;
  }

  #memberOf(uid: string): Member {
    const known = this.find(uid);
    if (known !== undefined) return known;
    const n = this.#numbers.of(uid);
    const shape = this.#shapes.of('', NO_OFFERS, NO_CODES);
    const made: Member = {
      n,
      uid,
      facts: undefined,
      shut: false,
      shape,
      place: NOWHERE,
      booked: undefined,
      load: undefined,
    };
    shape.members.add(n);
    this.#members.set(uid, made);
    for (const part of this.forest.adopt(uid, n)) {
      this.#implyAll(this.#withBelow(part), true);
      this.#settlePlace(part);
    }
    return made;
  }

  /** Another whole: what is held on either side of the link counts on the other from now on. */
  #relink({ n }: Member, parentUid: string | undefined): void {
    const parent = this.forest.parentOf(n);
    if ((parent === undefined ? undefined : this.member(parent).uid) === parentUid) return;
    const before = [...this.#withBelow(n), ...this.forest.above(n)];
    this.#implyAll(before, false);
    this.forest.setParent(n, parentUid);
    this.#implyAll(new Set([...before, ...this.forest.above(n)]), true);
  }

  #withBelow(n: number): readonly number[] {
    return [n, ...this.forest.below(n)];
  }

  #implyAll(sources: Iterable<number>, isHeld: boolean): void {
    for (const n of sources) {
      const source = this.member(n);
      for (const hold of [...(source.booked?.own ?? [])]) {
        const { claimUid } = hold;
        const change = { claimUid, hold: isHeld ? hold : undefined };
        for (const touched of imply(this, source, change)) this.#settle(touched);
      }
    }
  }

  #settlePlace(n: number): void {
    const member = this.#members.at(n);
    if (member === undefined) return;
    const parent = this.forest.parentOf(n);
    const whole = parent === undefined ? undefined : this.member(parent).place;
    const place = this.#places.of(member.facts?.groups ?? NO_CODES, whole);
    if (place !== member.place) {
      this.postings.remove(member.place.keys, n);
      this.postings.add(place.keys, n);
      member.place = place;
      for (const part of this.forest.below(n)) {
        if (this.forest.parentOf(part) === n) this.#settlePlace(part);
      }
    }
  }

  /** Puts the provider where it belongs after any change of it. */
  #settle(member: Member): void {
    this.#leave(member);
    const { n, uid, facts, booked } = member;
    const capacity = this.#capacities.termsAt(n);
    if (facts === undefined && capacity === undefined && booked === undefined) {
      this.#forget(uid, n);
      return;
    }
    const shape = this.#shapeOf(facts, capacity);
    if (shape !== member.shape) {
      member.shape.members.delete(n);
      this.#shapes.tidy(member.shape);
      member.shape = shape;
      shape.members.add(n);
    }
    if (member.shut || isClosed(facts, capacity)) this.open.delete(n);
    else this.#enter(member);
  }

  #shapeOf(facts: ProviderFacts | undefined, capacity: CapacityTerms | undefined): Shape {
    // Nothing is placed on what inventory has not told of, whatever its record says.
    if (facts === undefined) return this.#shapes.of('', NO_OFFERS, NO_CODES);
    return this.#shapes.of(facts.type, offersInForce(facts, capacity), facts.capabilities);
  }

  #leave(member: Member): void {
    const { n, shape, load } = member;
    shape.free.delete(n);
    shape.timed.delete(n);
    if (load === undefined) return;
    load.members.delete(n);
    if (load.members.size === 0) shape.loads.delete(load.used.join(' '));
    member.load = undefined;
  }

  #enter(member: Member): void {
    const { n, shape, booked } = member;
    this.open.add(n);
    if (booked === undefined) {
      shape.free.add(n);
      return;
    }
    if (booked.timed > 0) shape.timed.add(n);
    if (booked.wholes > 0 || booked.above !== undefined) return;
    const used = shape.codes.map((code) => booked.sums?.get(code) ?? 0);
    const key = used.join(' ');
    const load = shape.loads.get(key) ?? { used, members: new NumberSet() };
    shape.loads.set(key, load);
    load.members.add(n);
    member.load = load;
  }

  #forget(uid: string, n: number): void {
    const member = this.member(n);
    member.shape.members.delete(n);
    this.#shapes.tidy(member.shape);
    this.postings.remove(member.place.keys, n);
    this.forest.setParent(n, undefined);
    this.forest.orphan(uid, n);
    this.open.delete(n);
    this.all.delete(n);
    this.#members.delete(uid);
  }
}
