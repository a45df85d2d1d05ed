/**
 * Distance types that every installation begins with, measured by the groups that things have in
 * common. They are data: operators change them and define more.
 */
export type BuiltInStep = {
  readonly code: string;
  /** Who shares a group of this kind is that near. */
  readonly shares: 'power' | 'rack' | 'row' | 'site';
};

const PLACES: readonly BuiltInStep[] = [
  { code: 'same-rack', shares: 'rack' },
  { code: 'same-row', shares: 'row' },
  { code: 'same-site', shares: 'site' },
];

type BuiltInDistanceType = {
  readonly description: string;
  /** From near to far. */
  readonly steps: readonly BuiltInStep[];
};

/** By code. */
export const BUILT_IN_DISTANCE_TYPES: Readonly<Record<string, BuiltInDistanceType>> = {
  network: { description: 'How many levels of switches lie between', steps: PLACES },
  storage: { description: 'How far data travels', steps: PLACES },
  failure: {
    description: 'What fails together',
    steps: [{ code: 'same-feed', shares: 'power' }, ...PLACES],
  },
};
