import type { Random } from '../../services/runtime/random.ts';

/** Chance that repeats: the same seed draws the same (mulberry32). */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0;
  const draw = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const bytes = (count: number): Buffer =>
    Buffer.from(Array.from({ length: count }, () => Math.floor(draw() * 256)));
  const uuid = (version: number): string => {
    const hex = bytes(16).toString('hex');
    const parts = [hex.slice(0, 8), hex.slice(8, 12), `${version}${hex.slice(13, 16)}`];
    return [...parts, `8${hex.slice(17, 20)}`, hex.slice(20)].join('-');
  };
  return { fraction: draw, uid: () => uuid(7), requestId: () => uuid(4), bytes };
};
