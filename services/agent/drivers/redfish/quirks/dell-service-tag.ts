import type { Quirk } from '../quirk.ts';

/** What SMBIOS has as serial number is the service tag, which is in SKU. */
export const dellServiceTag: Quirk = {
  name: 'dell-service-tag',
  source: 'https://github.com/ansible/ansible/issues/53461',
  applies: ({ vendor }) => /^dell\b/i.test(vendor),
  rules: { serialNumber: 'SKU' },
};
