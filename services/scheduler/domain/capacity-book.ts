/**
 * The capacity records of a partition's providers, which are mostly alike: what they say is kept
 * once for all that say the same, and of each only its time and its mark. A record is put together
 * when somebody asks for it.
 */
import type { CapacityRecord, Offers } from './capacity.ts';
import { UidMap, type UidNumbers } from './uid-map.ts';

export type CapacityTerms = Omit<CapacityRecord, 'providerUid' | 'updateMs' | 'mark'>;

export class CapacityBook {
  readonly #numbers: UidNumbers;
  readonly #terms: UidMap<CapacityTerms>;
  #times = new Float64Array(0);
  #marks = new Int32Array(0);

  constructor(numbers: UidNumbers) {
    this.#numbers = numbers;
    this.#terms = new UidMap(numbers);
  }

  get size(): number {
    return this.#terms.size;
  }

  has(uid: string): boolean {
    return this.#terms.has(uid);
  }

  /** What the record says; of the provider with that number. */
  termsAt(n: number): CapacityTerms | undefined {
    return this.#terms.at(n);
  }

  terms(uid: string): CapacityTerms | undefined {
    return this.#terms.get(uid);
  }

  get(uid: string): CapacityRecord | undefined {
    const n = this.#numbers.find(uid);
    return n === undefined ? undefined : this.#recordAt(n);
  }

  put(record: CapacityRecord): void {
    const n = this.#terms.set(record.providerUid, termsOf(record));
    if (n >= this.#times.length) this.#grow(n + 1);
    this.#times[n] = record.updateMs;
    this.#marks[n] = record.mark ?? 0;
  }

  delete(uid: string): boolean {
    return this.#terms.delete(uid);
  }

  keys(): Iterable<string> {
    return this.#terms.keys();
  }

  *values(): Generator<CapacityRecord> {
    for (let n = 0; n < this.#terms.width; n += 1) {
      const record = this.#recordAt(n);
      if (record !== undefined) yield record;
    }
  }

  #recordAt(n: number): CapacityRecord | undefined {
    const terms = this.#terms.at(n);
    if (terms === undefined) return undefined;
    const { generation, offers, closed, version, reshape, earlier } = terms;
    return {
      providerUid: this.#numbers.uid(n),
      generation,
      offers,
      closed,
      version,
      updateMs: this.#times[n] ?? 0,
      mark: this.#marks[n] ?? 0,
      ...(reshape !== undefined && { reshape }),
      ...(earlier !== undefined && { earlier }),
    };
  }

  #grow(length: number): void {
    const most = Math.max(ROOM_MIN, length + (length >>> 2));
    const [times, marks] = [new Float64Array(most), new Int32Array(most)];
    times.set(this.#times);
    marks.set(this.#marks);
    this.#times = times;
    this.#marks = marks;
  }
}

const ROOM_MIN = 64;

/** By what they offer, which is shared already. */
const known = new WeakMap<Offers, CapacityTerms[]>();
/** The newest of one offer: where generations are all different nothing is shared. */
const KNOWN_MAX = 16;

const termsOf = (record: CapacityRecord): CapacityTerms => {
  const { generation, offers, closed, version, reshape, earlier } = record;
  if (reshape !== undefined || earlier !== undefined) {
    const { providerUid, updateMs, mark, ...terms } = record;
    return terms;
  }
  const like = known.get(offers) ?? [];
  const found = like.find(
    (one) => one.generation === generation && one.version === version && one.closed === closed,
  );
  if (found !== undefined) return found;
  const made = { generation, offers, closed, version };
  if (like.length >= KNOWN_MAX) like.shift();
  like.push(made);
  known.set(offers, like);
  return made;
};
