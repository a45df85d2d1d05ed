/**
 * Passwords for management controllers: 16 characters, because IPMI 1.5 takes no more and 2.0 at
 * most 20 (IPMI 2.0 §22.30), with upper case, lower case and digits in it, which many controllers
 * demand, and without characters that people or shells mistake.
 */
const UPPER = 'ABCDEFGHJKLMNPQRSTUVWXYZ';
const LOWER = 'abcdefghijkmnpqrstuvwxyz';
const DIGITS = '23456789';
const ALL = UPPER + LOWER + DIGITS;
const LENGTH = 16;

/** Of at least 48 random bytes: three of 16 choose one of each class, the others any. */
export const passwordOf = (bytes: Uint8Array): string => {
  const pick = (from: string, at: number): string => {
    // Three bytes for each, so that no character is noticeably more likely.
    const value = ((bytes[at * 3] ?? 0) << 16) | ((bytes[at * 3 + 1] ?? 0) << 8);
    return from[(value | (bytes[at * 3 + 2] ?? 0)) % from.length] ?? '';
  };
  const classes = [UPPER, LOWER, DIGITS];
  return Array.from({ length: LENGTH }, (_, at) => pick(classes[at] ?? ALL, at)).join('');
};

export const PASSWORD_BYTES = LENGTH * 3;
