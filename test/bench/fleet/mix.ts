/**
 * Numbers that look like chance and follow from where they are asked: any provider of a fleet can
 * be made without those before it, in any process, with the same outcome.
 */
export const mix = (seed: number, at: number, salt: number): number => {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(at + 1, 0xc2b2ae35);
  state = Math.imul(state ^ (state >>> 15) ^ Math.imul(salt + 1, 0x27d4eb2f), 0x2c1b3c6d);
  state = Math.imul(state ^ (state >>> 12), 0x297a2d39);
  state = Math.imul(state ^ (state >>> 15), 0x85ebca6b);
  return (state ^ (state >>> 16)) >>> 0;
};

/** A number in [0, 1). */
export const share = (seed: number, at: number, salt: number): number =>
  mix(seed, at, salt) / 2 ** 32;

/** One of them. */
export const pick = <T>(values: readonly [T, ...T[]], fraction: number): T =>
  values[Math.floor(fraction * values.length)] ?? values[0];
