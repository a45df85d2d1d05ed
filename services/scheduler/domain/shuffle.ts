/**
 * An order of equals that looks like chance and is the same for every repeat of a request: each
 * provider gets a number from the seed and its uid (FNV-1a with a final mix,
 * http://www.isthe.com/chongo/tech/comp/fnv/).
 */
export const shuffleKey = (seed: string, uid: string): number => {
  let hash = 0x811c9dc5;
  const text = `${seed}/${uid}`;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x7feb352d);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
};
