import type { Quirk } from '../quirk.ts';

/** Its GUID has the bytes of the SMBIOS table, where the first three fields are little-endian. */
export const dellGuidOrder: Quirk = {
  name: 'dell-guid-order',
  source: 'https://ocdnix.wordpress.com/2013/02/',
  applies: ({ vendor }) => /^dell\b/i.test(vendor),
  rules: { guidOrder: 'smbios' },
};
