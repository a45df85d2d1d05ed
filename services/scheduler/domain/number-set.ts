/**
 * A set of small whole numbers: which providers are free, in a rack, have a tag. Small sets are
 * sorted lists, large ones bits from their first member to their last, so that five hundred racks
 * of a large fleet cost what their members cost and a set of everything costs one bit a provider.
 */

/** A list above this many members becomes bits. */
const LIST_MAX = 1024;
/** By which bits grow at least. */
const WORDS_MIN = 64;

export class NumberSet implements Iterable<number> {
  #list: number[] | undefined = [];
  #words = new Uint32Array(0);
  /** Which word of all the first of these is. */
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(n: number): boolean {
    if (this.#list === undefined) return (this.#wordOf(n) & (1 << (n & 31))) !== 0;
    return this.#list[firstNotBelow(this.#list, n)] === n;
  }

  add(n: number): void {
    if (this.#list === undefined) this.#addBit(n);
    else this.#addToList(this.#list, n);
  }

  delete(n: number): void {
    if (this.#list === undefined) {
      const word = this.#wordOf(n);
      const bit = 1 << (n & 31);
      if ((word & bit) === 0) return;
      this.#words[(n >>> 5) - this.#first] = word & ~bit;
      this.#size -= 1;
      return;
    }
    const at = firstNotBelow(this.#list, n);
    if (this.#list[at] !== n) return;
    this.#list.splice(at, 1);
    this.#size -= 1;
  }

  /** The smallest member at or above `from`; -1 = there is none. */
  next(from: number): number {
    if (this.#list !== undefined) return this.#list[firstNotBelow(this.#list, from)] ?? -1;
    const before = this.#first * 32;
    const found = nextBit(this.#words, Math.max(0, from - before));
    return found < 0 ? -1 : found + before;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let n = this.next(0); n >= 0; n = this.next(n + 1)) yield n;
  }

  /** Sets the bits of the members; the words must be long enough. */
  orInto(words: Uint32Array): void {
    if (this.#list === undefined) {
      const own = this.#words;
      const first = this.#first;
      const length = Math.min(own.length, words.length - first);
      for (let at = 0; at < length; at += 1) {
        words[first + at] = (words[first + at] ?? 0) | (own[at] ?? 0);
      }
      return;
    }
    for (const n of this.#list) words[n >>> 5] = (words[n >>> 5] ?? 0) | (1 << (n & 31));
  }

  #addToList(list: number[], n: number): void {
    // Providers come in the order of their numbers.
    const last = list.at(-1);
    if (last === undefined || last < n) list.push(n);
    else {
      const at = firstNotBelow(list, n);
      if (list[at] === n) return;
      list.splice(at, 0, n);
    }
    this.#size += 1;
    if (list.length <= LIST_MAX) return;
    this.#list = undefined;
    this.#size = 0;
    for (const member of list) this.#addBit(member);
  }

  #addBit(n: number): void {
    this.#reach(n >>> 5);
    const at = (n >>> 5) - this.#first;
    const word = this.#words[at] ?? 0;
    const bit = 1 << (n & 31);
    if ((word & bit) !== 0) return;
    this.#words[at] = word | bit;
    this.#size += 1;
  }

  #wordOf(n: number): number {
    const at = (n >>> 5) - this.#first;
    return at < 0 ? 0 : (this.#words[at] ?? 0);
  }

  /** Makes room for a word; more than is needed, as others beside it are likely to come. */
  #reach(word: number): void {
    const { length } = this.#words;
    const end = this.#first + length;
    if (word >= this.#first && word < end) return;
    const spare = Math.max(WORDS_MIN, length >>> 1);
    const first = length === 0 ? word : Math.min(this.#first, word);
    const from = word < this.#first ? Math.max(0, first - spare) : first;
    const to = word < end ? end : word + spare;
    const grown = new Uint32Array(to - from);
    if (length > 0) grown.set(this.#words, this.#first - from);
    this.#words = grown;
    this.#first = from;
  }
}

/** The smallest set bit at or above `from`; -1 = there is none. */
export const nextBit = (words: Uint32Array, from: number): number => {
  let at = from >>> 5;
  if (at >= words.length) return -1;
  let word = (words[at] ?? 0) & (0xffffffff << (from & 31));
  while (word === 0) {
    at += 1;
    if (at >= words.length) return -1;
    word = words[at] ?? 0;
  }
  return at * 32 + (31 - Math.clz32(word & -word));
};

/** Leaves in the first those bits that are in the second too. */
export const andBits = (bits: Uint32Array, others: Uint32Array): void => {
  for (let at = 0; at < bits.length; at += 1) bits[at] = (bits[at] ?? 0) & (others[at] ?? 0);
};

/** The bits that are in any of them; all are of one length. */
export const orBits = (all: readonly Uint32Array[]): Uint32Array => {
  const bits = new Uint32Array(all[0]?.length ?? 0);
  for (const one of all) {
    for (let at = 0; at < bits.length; at += 1) bits[at] = (bits[at] ?? 0) | (one[at] ?? 0);
  }
  return bits;
};

/** How many bits are set. */
export const countBits = (words: Uint32Array): number => {
  let count = 0;
  for (let word of words) {
    word -= (word >>> 1) & 0x55555555;
    word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
    count += Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
};

const firstNotBelow = (list: readonly number[], n: number): number => {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] ?? 0) < n) low = middle + 1;
    else high = middle;
  }
  return low;
};
