import type { Quirk } from '../quirk.ts';

/** FreeIPMI's `ignorescanningdisabled`. */
export const dellScanningBit: Quirk = {
  name: 'dell-scanning-bit',
  source: 'https://www.gnu.org/software/freeipmi/manpages/man8/ipmi-sensors.8.html',
  applies: ({ vendor, model }) =>
    /^dell\b/i.test(vendor) && /poweredge (?:2900|2950|r410|r610)\b/i.test(model),
  rules: { scanning: 'ignored' },
};
