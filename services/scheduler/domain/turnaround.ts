/**
 * How long holds keep others away. What is held whole is cleaned before anything else of it, or of
 * its tree, is held; how long that takes follows from the type of what is held.
 */
import { type Hold, isWhole } from './hold.ts';
import type { Member, ProviderIndex } from './provider-index.ts';

/** Of a claim that takes it whole. */
export const turnaroundOf = (
  index: Pick<ProviderIndex, 'topology'>,
  { shape }: Pick<Member, 'shape'>,
): number => index.topology().turnaroundMs.get(shape.type) ?? 0;

export type HeldWhere = 'here' | 'above' | 'below';

/** `clearMs`: from then on it keeps nobody away. */
export type HoldTest = (hold: Hold, clearMs: number, where: HeldWhere) => boolean;

type Held = Pick<Member, 'booked' | 'shape'>;

/** Whether one of the holds of the provider and of its tree is so; those after it are not asked. */
export const someHold = (
  index: Pick<ProviderIndex, 'topology' | 'member'>,
  member: Held,
  isSo: HoldTest,
): boolean => {
  const { booked } = member;
  if (booked === undefined) return false;
  const isInstant = index.topology().turnaroundMs.size === 0;
  const test = (hold: Hold, at: Held, where: HeldWhere): boolean => {
    const cleaningMs = isInstant || !isWhole(hold) ? 0 : turnaroundOf(index, at);
    return isSo(hold, hold.toMs + cleaningMs, where);
  };
  for (const hold of booked.own) if (test(hold, member, 'here')) return true;
  for (const { source, hold } of booked.above ?? []) {
    if (test(hold, index.member(source), 'above')) return true;
  }
  for (const { source, hold } of booked.below ?? []) {
    if (test(hold, index.member(source), 'below')) return true;
  }
  return false;
};
