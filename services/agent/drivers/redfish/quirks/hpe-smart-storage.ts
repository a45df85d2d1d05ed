import type { Quirk } from '../quirk.ts';

/** Disks behind array controllers of iLO 4 and 5 are in SmartStorage and not in Storage. */
export const hpeSmartStorage: Quirk = {
  name: 'hpe-smart-storage',
  source:
    'https://github.com/HewlettPackard/ilo-rest-api-docs/blob/master/source/includes/' +
    '_ilo5_smartstoragedoc.md',
  applies: ({ vendor, firmware }) =>
    /^(?:hpe?|hewlett)\b/i.test(vendor) && /\biLO [45]\b/.test(firmware),
  rules: { disks: 'smart-storage' },
};
