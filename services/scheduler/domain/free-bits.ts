/** Which open providers have room for some resources over a window, as bits. */
import type { ResourceRequest } from './claim.ts';
import { isWhole, overlaps } from './hold.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { Shape } from './shape.ts';
import { lackingIn, type Question, vacancyOf, wantsWhole } from './vacancy.ts';

export const freeBits = (
  index: ProviderIndex,
  resources: readonly ResourceRequest[],
  question: Question,
): Uint32Array => {
  const bits = new Uint32Array((index.width() >>> 5) + 1);
  const isWanted = wantsWhole({ resources });
  for (const shape of index.shapes()) {
    shape.free.orInto(bits);
    if (!isWanted) addClasses(shape, resources, bits);
    for (const n of shape.timed) {
      const member = index.member(n);
      const fits = isWanted
        ? isIdle(index, member, question)
        : lackingIn(shape, vacancyOf(index, member, question), resources).length === 0;
      if (fits) bits[n >>> 5] = (bits[n >>> 5] ?? 0) | (1 << (n & 31));
    }
  }
  addClosed(index, { resources, question, bits });
  return bits;
};

/** More closed providers than this are not looked at: that they are closed says enough. */
const CLOSED_MAX = 10_000;

const addClosed = (
  index: ProviderIndex,
  {
    resources,
    question,
    bits,
  }: {
    readonly resources: readonly ResourceRequest[];
    readonly question: Question;
    readonly bits: Uint32Array;
  },
): void => {
  if (index.all.size - index.open.size > CLOSED_MAX) return;
  for (const n of index.all) {
    if (index.open.has(n)) continue;
    const member = index.member(n);
    const vacancy = vacancyOf(index, member, question);
    if (lackingIn(member.shape, vacancy, resources).length === 0) {
      bits[n >>> 5] = (bits[n >>> 5] ?? 0) | (1 << (n & 31));
    }
  }
};

const addClasses = (
  { codes, offers, loads }: Shape,
  resources: readonly ResourceRequest[],
  bits: Uint32Array,
): void => {
  for (const { used, members } of loads.values()) {
    const fits = resources.every(({ resourceType, amount, minAmount }) => {
      const usable = offers.get(resourceType)?.usable ?? 0;
      return (used[codes.indexOf(resourceType)] ?? 0) + (minAmount ?? amount) <= usable;
    });
    if (fits) members.orInto(bits);
  }
};

/** The same as vacancyOf(…).idle; a refusal asks it of every machine that is held for a time. */
const isIdle = (
  index: ProviderIndex,
  { booked, shape }: Member,
  { window, ignoreClaimUid }: Question,
): boolean => {
  if (booked === undefined) return true;
  const turnaroundMs = index.topology().turnaroundMs.get(shape.type) ?? 0;
  for (const hold of booked.own) {
    if (hold.claimUid === ignoreClaimUid) continue;
    const aroundMs = isWhole(hold) ? turnaroundMs : 0;
    if (hold.fromMs - aroundMs < window.toMs && window.fromMs < hold.toMs + aroundMs) return false;
  }
  for (const { hold } of booked.above ?? []) {
    if (hold.claimUid === ignoreClaimUid) continue;
    const { fromMs, toMs } = hold;
    const around = { fromMs: fromMs - turnaroundMs, toMs: toMs + turnaroundMs };
    if (overlaps(around, window)) return false;
  }
  for (const { hold } of booked.below ?? []) {
    if (hold.claimUid !== ignoreClaimUid && overlaps(hold, window)) return false;
  }
  return true;
};
