/**
 * Where the scheduler's facts lie in coordination. All of a partition's keys have one prefix, the
 * leader's key too, so that whoever follows the prefix and has seen an election has seen everything
 * that was written before it.
 */
import { keyOf } from './claim.ts';

const ROOT = 'partitions/';
/** Numbers are padded, so that the order of keys is the order of the log. */
const NUMBER_DIGITS = 16;

export type KeyPart =
  | { readonly kind: 'leader' }
  | { readonly kind: 'head' }
  | { readonly kind: 'claim' | 'capacity'; readonly uid: string }
  | { readonly kind: 'quota'; readonly project: string }
  | { readonly kind: 'log'; readonly number: number };

/** All partitions. */
export const ROOT_PREFIX = ROOT;

export const leaderKey = (partition: string): string => `${ROOT}${keyOf(partition)}/leader`;
export const headKey = (partition: string): string => `${ROOT}${keyOf(partition)}/head`;
export const claimKey = (partition: string, uid: string): string =>
  `${ROOT}${keyOf(partition)}/claims/${uid}`;
export const capacityKey = (partition: string, providerUid: string): string =>
  `${ROOT}${keyOf(partition)}/cap/${providerUid}`;
export const quotaKey = (partition: string, project: string): string =>
  `${ROOT}${keyOf(partition)}/quota/${keyOf(project)}`;
export const logPrefix = (partition: string): string => `${ROOT}${keyOf(partition)}/log/`;
export const logKey = (partition: string, number: number): string =>
  `${logPrefix(partition)}${String(number).padStart(NUMBER_DIGITS, '0')}`;

/**
 * What a key is; undefined for one that is none of ours. The partition is given as its key, in
 * lower case.
 */
export const parseKey = (
  key: string,
): { readonly partition: string; readonly part: KeyPart } | undefined => {
  if (!key.startsWith(ROOT)) return undefined;
  // A million keys are parsed when all are listed: nothing is made that is not kept.
  const wordAt = key.indexOf('/', ROOT.length) + 1;
  if (wordAt <= ROOT.length + 1) return undefined;
  const wordEnd = key.indexOf('/', wordAt);
  const word = wordEnd < 0 ? key.slice(wordAt) : key.slice(wordAt, wordEnd);
  const id = wordEnd < 0 ? '' : key.slice(wordEnd + 1);
  const part = id.includes('/') ? undefined : partOf(word, id);
  return part === undefined ? undefined : { partition: key.slice(ROOT.length, wordAt - 1), part };
};

const partOf = (word: string, id: string): KeyPart | undefined => {
  switch (word) {
    case 'leader':
    case 'head':
      return id === '' ? { kind: word } : undefined;
    case 'claims':
      return id === '' ? undefined : { kind: 'claim', uid: id };
    case 'cap':
      return id === '' ? undefined : { kind: 'capacity', uid: id };
    case 'quota':
      return id === '' ? undefined : { kind: 'quota', project: id };
    case 'log':
      return /^\d+$/.test(id) ? { kind: 'log', number: Number(id) } : undefined;
    default:
      return undefined;
  }
};
