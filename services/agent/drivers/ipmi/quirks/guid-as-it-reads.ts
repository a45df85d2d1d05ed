import type { Quirk } from '../quirk.ts';

/** The bytes of its GUID are those of the UUID, in the order in which one reads it. */
export const guidAsItReads: Quirk = {
  name: 'guid-as-it-reads',
  source: 'https://github.com/gebn/bmc/blob/master/pkg/ipmi/get_system_guid.go',
  applies: ({ vendor }) => /^(?:dell|quanta)\b/i.test(vendor),
  rules: { guidOrder: 'rfc' },
};
