import type { Quirk } from '../quirk.ts';

/** Some firmware of iDRAC divides gigabytes as if each had a thousand megabytes. */
export const dellMemoryUnit: Quirk = {
  name: 'dell-memory-unit',
  source: 'https://github.com/bb-Ricardo/check_redfish/issues/48',
  applies: ({ vendor }) => /^dell\b/i.test(vendor),
  rules: { memoryUnit: 'decimal' },
};
