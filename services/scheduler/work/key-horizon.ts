/**
 * Up to where the next pages of keys may reach. A store that counts what lies behind a page, as
 * etcd does for each, counts a million keys for each ten thousand; with a horizon it counts a few
 * pages. It is a guess from how far a page reached: whoever comes to it goes on to a farther one.
 */

/** Pages before it, when keys go on as they went. */
const PAGES = 2;
/** Characters that are looked at behind what the keys of a page have in common. */
const DIGITS = 6;
/** Keys are nearly all of the first characters; any other counts as the last of these. */
const BASE = 128;
const LAST = String.fromCharCode(BASE - 1);

/** undefined = the page says nothing of that. */
export const horizonOf = (keys: readonly { readonly key: string }[]): string | undefined => {
  const [first, last] = [keys[0]?.key, keys.at(-1)?.key];
  if (first === undefined || last === undefined) return undefined;
  const common = commonLength(first, last);
  const [begin, end] = [numberAt(first, common), numberAt(last, common)];
  const horizon = end + PAGES * (end - begin);
  if (end === begin || horizon >= BASE ** DIGITS) return undefined;
  return last.slice(0, common) + textOf(horizon);
};

/** A farther one from `key`, which came last before it; undefined = there is none. */
export const fartherThan = (horizon: string, key: string): string | undefined => {
  const common = Math.min(horizon.length - DIGITS, key.length) - 1;
  return common < 0 ? undefined : key.slice(0, common) + LAST.repeat(DIGITS);
};

const commonLength = (a: string, b: string): number => {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
};

const numberAt = (key: string, from: number): number => {
  let number = 0;
  for (let at = from; at < from + DIGITS; at += 1) {
    number = number * BASE + (at < key.length ? Math.min(key.charCodeAt(at), BASE - 1) : 0);
  }
  return number;
};

const textOf = (number: number): string => {
  let text = '';
  for (let left = number, digit = 0; digit < DIGITS; digit += 1) {
    text = String.fromCharCode(left % BASE) + text;
    left = Math.floor(left / BASE);
  }
  return text;
};
