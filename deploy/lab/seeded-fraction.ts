/** Chance that repeats: the same seed and place draw the same number in [0, 1). */
export const seededFraction = (seed: number, place: number): number => {
  // The finaliser of MurmurHash3 (public domain) spreads neighbouring places.
  let mixed = (seed ^ Math.imul(place + 1, 0x9e3779b1)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
};
