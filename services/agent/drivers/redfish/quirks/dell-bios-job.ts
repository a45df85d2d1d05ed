import type { Quirk } from '../quirk.ts';

/** iDRAC 7 and 8 keep what was written to the BIOS settings until a job is made of it. */
export const dellBiosJob: Quirk = {
  name: 'dell-bios-job',
  source:
    'https://docs.ansible.com/ansible/latest/collections/community/general/' +
    'idrac_redfish_command_module.html',
  applies: ({ vendor, product }) => /^dell\b/i.test(vendor) && /\b1[23]G\b/.test(product),
  rules: { biosJob: 'needed' },
};
