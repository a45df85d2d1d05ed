/**
 * Maps by the uid of a provider. One table gives each uid a number, and what is known of it lies in
 * lists by that number: of a million providers a map for each kind of fact would be a quarter of a
 * leader's memory, and finding the same uid in one after the other a quarter of its start.
 */
export class UidNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #uids: (string | undefined)[] = [];
  readonly #unused: number[] = [];
  /** A state that nobody needs any more goes without a word; its maps count no longer then. */
  #maps: WeakRef<UidMap<Value>>[] = [];
  /** By slot: who is asked for is asked for by several, one after the other. */
  readonly #recentUids: string[] = Array(SLOTS).fill('');
  readonly #recent: (number | undefined)[] = Array(SLOTS).fill(undefined);

  /** undefined = no map has something of it. */
  find(uid: string): number | undefined {
    const slot = slotOf(uid);
    if (this.#recentUids[slot] !== uid) this.#remember(uid, this.#numbers.get(uid));
    return this.#recent[slot];
  }

  /** For a map that puts something of it. */
  of(uid: string): number {
    const known = this.find(uid);
    if (known !== undefined) return known;
    const n = this.#unused.pop() ?? this.#uids.length;
    this.#uids[n] = uid;
    this.#numbers.set(uid, n);
    this.#remember(uid, n);
    return n;
  }

  #remember(uid: string, n: number | undefined): void {
    const slot = slotOf(uid);
    this.#recentUids[slot] = uid;
    this.#recent[slot] = n;
  }

  uid(n: number): string {
    return this.#uids[n] ?? '';
  }

  /** The uid as it is in memory already, if it is: an equal text is not kept beside it. */
  text(uid: string): string {
    const n = this.find(uid);
    return n === undefined ? uid : this.uid(n);
  }

  register(map: UidMap<Value>): void {
    this.#maps = this.#maps.filter((one) => one.deref() !== undefined);
    // What only maps had that are gone.
    for (const n of this.#uids.keys()) this.tidy(n);
    this.#maps.push(new WeakRef(map));
  }

  /** The number is free again once no map has anything of it. */
  tidy(n: number): void {
    const uid = this.#uids[n];
    if (uid === undefined || this.#maps.some((one) => one.deref()?.at(n) !== undefined)) return;
    this.#numbers.delete(uid);
    this.#uids[n] = undefined;
    this.#unused.push(n);
    this.#remember(uid, undefined);
  }
}

const SLOTS = 64;

/** By its last two characters, which are chance. */
const slotOf = (uid: string): number =>
  (uid.charCodeAt(uid.length - 1) + 5 * uid.charCodeAt(uid.length - 2)) % SLOTS || 0;

/** undefined would be nothing. */
type Value = object | string;

export class UidMap<T extends Value> {
  readonly #numbers: UidNumbers;
  readonly #values: (T | undefined)[] = [];
  #size = 0;

  constructor(numbers: UidNumbers) {
    this.#numbers = numbers;
    numbers.register(this);
  }

  get size(): number {
    return this.#size;
  }

  /** Numbers below this one are in use or were. */
  get width(): number {
    return this.#values.length;
  }

  at(n: number): T | undefined {
    return this.#values[n];
  }

  get(uid: string): T | undefined {
    const n = this.#numbers.find(uid);
    return n === undefined ? undefined : this.#values[n];
  }

  has(uid: string): boolean {
    return this.get(uid) !== undefined;
  }

  /** The number of the uid from now on, until it is deleted here. */
  set(uid: string, value: T): number {
    const n = this.#numbers.of(uid);
    // A list with holes would become a map.
    while (this.#values.length < n) this.#values.push(undefined);
    if (this.#values[n] === undefined) this.#size += 1;
    this.#values[n] = value;
    return n;
  }

  delete(uid: string): boolean {
    const n = this.#numbers.find(uid);
    if (n === undefined || this.#values[n] === undefined) return false;
    this.#values[n] = undefined;
    this.#size -= 1;
    this.#numbers.tidy(n);
    return true;
  }

  /** In the order of the numbers. What comes and goes meanwhile may be among them or not. */
  *keys(): Generator<string> {
    for (let n = 0; n < this.#values.length; n += 1) {
      if (this.#values[n] !== undefined) yield this.#numbers.uid(n);
    }
  }

  *values(): Generator<T> {
    for (let n = 0; n < this.#values.length; n += 1) {
      const value = this.#values[n];
      if (value !== undefined) yield value;
    }
  }
}
