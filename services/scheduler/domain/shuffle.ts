/**
 * An order of equals that looks like chance and is the same for every repeat of a request: each
 * provider gets a number from the seed and its uid (FNV-1a with a final mix,
 * http://www.isthe.com/chongo/tech/comp/fnv/).
 */
export const shuffleKey = (seed: string, uid: string): number => {
  let hash = hashOf(0x811c9dc5, seed);
  hash = Math.imul(hash ^ 0x2f, 0x01000193);
  return mixed(hashOf(hash, uid));
};

/** The same for numbers: `seedHash` is the shuffle key of the seed. */
export const shuffleNumber = (seedHash: number, n: number): number =>
  mixed(seedHash ^ Math.imul(n + 1, 0x9e3779b1));

const hashOf = (from: number, text: string): number => {
  let hash = from;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash;
};

const mixed = (from: number): number => {
  let hash = from ^ (from >>> 16);
  hash = Math.imul(hash, 0x7feb352d);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
};
