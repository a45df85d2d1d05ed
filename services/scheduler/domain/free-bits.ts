/** Which open providers have room for a resource over a window, as bits. */
import type { LimitedLooks } from './budget.ts';
import type { ResourceRequest } from './claim.ts';
import { fitsBeside } from './granted.ts';
import type { Member, ProviderIndex } from './provider-index.ts';
import type { Shape } from './shape.ts';
import { hasFree, isIdle, type Question, wantsWhole } from './vacancy.ts';

type FreeQuestion = {
  readonly asked: ResourceRequest;
  readonly question: Question;
  readonly spent: LimitedLooks;
};

/** What judging a provider takes, and each of its holds. */
const MEMBER_LOOKS = 3;
const HOLD_LOOKS = 3;

/** undefined = it cannot be told within the looks. */
export const freeBits = (index: ProviderIndex, free: FreeQuestion): Uint32Array | undefined => {
  const { asked, spent } = free;
  const bits = new Uint32Array((index.width() >>> 5) + 1);
  const isWanted = wantsWhole({ resources: [asked] });
  for (const shape of index.shapes()) {
    shape.free.orInto(bits);
    if (!isWanted) addClasses(shape, [asked], bits);
    for (const n of shape.timed) {
      if (spent.looks > spent.looksMax) {
        spent.isCut = true;
        return undefined;
      }
      addMember(index, index.member(n), { ...free, bits, isWanted });
    }
  }
  addClosed(index, { ...free, bits, isWanted });
  return bits;
};

type Adding = FreeQuestion & { readonly bits: Uint32Array; readonly isWanted: boolean };

const addMember = (
  index: ProviderIndex,
  member: Member,
  { asked, question, spent, bits, isWanted }: Adding,
): void => {
  const { n, booked } = member;
  spent.looks += MEMBER_LOOKS + HOLD_LOOKS * (booked?.own.length ?? 0);
  const fits = isWanted
    ? isIdle(index, member, question)
    : hasFree(index, member, { asked, question });
  if (fits) bits[n >>> 5] = (bits[n >>> 5] ?? 0) | (1 << (n & 31));
};

/** More closed providers than this are not looked at: that they are closed says enough. */
const CLOSED_MAX = 10_000;

const addClosed = (index: ProviderIndex, adding: Adding): void => {
  const closed = index.all.size - index.open.size;
  if (closed === 0 || closed > CLOSED_MAX) return;
  for (const n of index.all) {
    if (index.open.has(n)) continue;
    addMember(index, index.member(n), adding);
  }
};

const addClasses = (
  shape: Shape,
  resources: readonly ResourceRequest[],
  bits: Uint32Array,
): void => {
  const fits = fitsBeside(shape, resources);
  for (const { used, members } of shape.loads.values()) if (fits(used)) members.orInto(bits);
};
