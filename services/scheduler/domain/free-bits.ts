/** Which open providers have room for some resources over a window, as bits. */
import type { ResourceRequest } from './claim.ts';
import { fitsBeside } from './granted.ts';
import type { ProviderIndex } from './provider-index.ts';
import type { Shape } from './shape.ts';
import { isIdle, lackingIn, type Question, vacancyOf, wantsWhole } from './vacancy.ts';

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
  const closed = index.all.size - index.open.size;
  if (closed === 0 || closed > CLOSED_MAX) return;
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
  shape: Shape,
  resources: readonly ResourceRequest[],
  bits: Uint32Array,
): void => {
  for (const { used, members } of shape.loads.values()) {
    if (fitsBeside(shape, used, resources)) members.orInto(bits);
  }
};
