import type { LabContext, Write } from '../context.ts';
import { type Json, noContent, refuse } from '../message.ts';
import { unknownProperty } from './shape.ts';

/** After how many wrong passwords an account waits, and how long (DSP0268, AccountService). */
const NAMES = ['AccountLockoutThreshold', 'AccountLockoutDuration'] as const;
/** Refusals are forgotten when an account has waited, so the one cannot differ from the other. */
const SAME = 'AccountLockoutCounterResetAfter';
const VALUE_MAX = 100_000;

export const lockoutOf = ({ guard }: LabContext): Json => {
  const { threshold, durationSeconds } = guard.lockout();
  return {
    AccountLockoutThreshold: threshold,
    AccountLockoutDuration: durationSeconds,
    [SAME]: durationSeconds,
  };
};

export const changeLockout: Write = ({ guard }, body) => {
  const unknown = unknownProperty(body, [...NAMES, SAME]);
  if (unknown !== undefined) return unknown;
  const now = guard.lockout();
  const values = [now.threshold, now.durationSeconds];
  for (const [index, name] of NAMES.entries()) {
    const sent = body[name];
    if (sent === undefined) continue;
    if (typeof sent !== 'number' || !Number.isInteger(sent) || sent < 0 || sent > VALUE_MAX) {
      const detail = `${name} is from 0 to ${VALUE_MAX}.`;
      return refuse(400, 'PropertyValueTypeError', { detail, about: name });
    }
    values[index] = sent;
  }
  const [threshold = now.threshold, durationSeconds = now.durationSeconds] = values;
  if (body[SAME] !== undefined && body[SAME] !== durationSeconds) {
    return refuse(400, 'PropertyNotWritable', { detail: `${SAME} is the duration.`, about: SAME });
  }
  guard.setLockout({ threshold, durationSeconds });
  return noContent;
};
