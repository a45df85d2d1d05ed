/**
 * A fleet of any size from a seed: sites × rows × racks × nodes, of several profiles. Nothing of it
 * is kept; each provider is made when it is asked for.
 */
import { mix, pick, share } from './mix.ts';
import { type Build, buildOf, type Profile, profileAt } from './profile.ts';

export const PARTITION = 'bench';

export type FleetOptions = { readonly size: number; readonly seed: number };

export type FleetProvider = Build & {
  readonly at: number;
  readonly uid: string;
  readonly name: string;
  readonly profile: Profile;
  readonly rack: number;
  /** Id of the row in which its rack stands. */
  readonly row: string;
  /** Its rack and its power feed; row and site follow from the rack. */
  readonly groups: readonly string[];
  readonly tags: readonly string[];
  readonly support: Support;
  /** Of its delivery. */
  readonly year: number;
};

export type GroupKind = 'site' | 'row' | 'rack' | 'power';
export type FleetGroup = {
  readonly id: string;
  readonly kind: GroupKind;
  /** Id of the group in which it lies; undefined = of none. */
  readonly parent: string | undefined;
};

export type Fleet = FleetOptions & {
  readonly racks: number;
  readonly provider: (at: number) => FleetProvider;
  readonly groups: () => Generator<FleetGroup>;
};

export const NODES_PER_RACK = 200;
const RACKS_PER_ROW = 25;
const ROWS_PER_SITE = 10;
const FEEDS = ['a', 'b'] as const;

const SUPPORT = ['gold', 'silver', 'silver', 'bronze', 'bronze', 'bronze', 'none'] as const;
export type Support = (typeof SUPPORT)[number];
export const YEARS = [2021, 2022, 2023, 2024, 2025, 2026] as const;

/** What a draw is for; each provider has one of each. */
const SALT = {
  profile: 0,
  cpus: 1,
  memory: 2,
  generation: 3,
  support: 4,
  canary: 5,
  feed: 6,
  year: 7,
  uidA: 8,
  uidB: 9,
} as const;

export const createFleet = ({ size, seed }: FleetOptions): Fleet => {
  const racks = Math.ceil(size / NODES_PER_RACK);
  return {
    size,
    seed,
    racks,
    groups: () => groupsOf(racks),
    provider: (at) => {
      const of = (salt: number) => share(seed, at, salt);
      const profile = profileAt(of(SALT.profile));
      const rack = Math.floor(at / NODES_PER_RACK);
      const feed = pick(FEEDS, of(SALT.feed));
      return {
        ...buildOf(profile, of(SALT.cpus), of(SALT.memory), of(SALT.generation)),
        at,
        uid: uidOf(seed, at),
        name: `partitions/${PARTITION}/providers/n-${String(at).padStart(7, '0')}`,
        profile,
        rack,
        row: rowId(rowOf(rack)),
        groups: [rackId(rack), feedId(rack, feed)],
        tags: of(SALT.canary) < 0.01 ? ['canary'] : [],
        support: pick(SUPPORT, of(SALT.support)),
        year: pick(YEARS, of(SALT.year)),
      };
    },
  };
};

export const rackId = (rack: number): string => `rack-${String(rack).padStart(5, '0')}`;

const rowOf = (rack: number): number => Math.floor(rack / RACKS_PER_ROW);
const siteOf = (rack: number): number => Math.floor(rowOf(rack) / ROWS_PER_SITE);
const rowId = (row: number): string => `row-${String(row).padStart(4, '0')}`;
const siteId = (site: number): string => `site-${String(site).padStart(2, '0')}`;
/** A row has two feeds, and each node hangs on one of them. */
const feedId = (rack: number, feed: string): string =>
  `feed-${String(rowOf(rack)).padStart(4, '0')}-${feed}`;

function* groupsOf(racks: number): Generator<FleetGroup> {
  for (let rack = 0; rack < racks; rack += 1) {
    const row = rowOf(rack);
    const isFirstOfRow = rack % RACKS_PER_ROW === 0;
    if (isFirstOfRow && row % ROWS_PER_SITE === 0) {
      yield { id: siteId(siteOf(rack)), kind: 'site', parent: undefined };
    }
    if (isFirstOfRow) {
      yield { id: rowId(row), kind: 'row', parent: siteId(siteOf(rack)) };
      for (const feed of FEEDS) {
        yield { id: feedId(rack, feed), kind: 'power', parent: siteId(siteOf(rack)) };
      }
    }
    yield { id: rackId(rack), kind: 'rack', parent: rowId(row) };
  }
}

/** When the first provider was made, for the time in a UUIDv7. */
const FIRST_MS = Date.UTC(2026, 0, 1);

/** As a real import would give them: version 7, ordered by time, the rest by chance. */
const uidOf = (seed: number, at: number): string => {
  const time = (FIRST_MS + at).toString(16).padStart(12, '0');
  const [a, b] = [mix(seed, at, SALT.uidA), mix(seed, at, SALT.uidB)];
  const random = a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0');
  const head = `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}`;
  return `${head}-8${random.slice(3, 6)}-${random.slice(4)}`;
};
