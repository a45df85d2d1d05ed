import type { ProviderFacts } from '../domain/capacity.ts';

/** Where a provider is, as many others are. */
export type Where = Required<Pick<ProviderFacts, 'groups' | 'tags' | 'parentUid' | 'distances'>> & {
  /** "partitions/{partition}/providers/", the begin of its name. */
  readonly parent: string;
};

/** What it is, as many others are. */
export type What = Pick<ProviderFacts, 'type' | 'capabilities' | 'offers'>;

export type FactsParts = {
  readonly uid: string;
  /** A text of its own: cut out of the name it would keep all of it in memory. */
  readonly id: string;
  readonly generation: number;
  readonly where: Where;
  readonly what: What;
  readonly properties: ProviderFacts['properties'];
};

/**
 * Facts of a provider in two thirds of the memory of an object with all of them: what it is and
 * where it is, it shares. They are read, never copied: a spread of it lacks what is shared.
 */
export const factsFrom = (parts: FactsParts): ProviderFacts => new SharedFacts(parts);

class SharedFacts implements ProviderFacts {
  readonly uid: string;
  readonly generation: number;
  readonly properties: ProviderFacts['properties'];
  readonly #id: string;
  readonly #where: Where;
  readonly #what: What;

  constructor({ uid, id, generation, where, what, properties }: FactsParts) {
    this.uid = uid;
    this.generation = generation;
    this.properties = properties;
    this.#id = id;
    this.#where = where;
    this.#what = what;
  }

  get name(): string {
    return this.#where.parent + this.#id;
  }

  get type(): string {
    return this.#what.type;
  }

  get capabilities(): ReadonlySet<string> {
    return this.#what.capabilities;
  }

  get groups(): ReadonlySet<string> {
    return this.#where.groups;
  }

  get tags(): ReadonlySet<string> {
    return this.#where.tags;
  }

  get offers(): ProviderFacts['offers'] {
    return this.#what.offers;
  }

  get parentUid(): ProviderFacts['parentUid'] {
    return this.#where.parentUid;
  }

  get distances(): ProviderFacts['distances'] {
    return this.#where.distances;
  }
}
