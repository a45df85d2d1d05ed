import type { Quirk } from '../quirk.ts';

/** FreeIPMI's `assumesystemevent`. */
export const hpLogRecords: Quirk = {
  name: 'hp-log-records',
  source: 'https://www.gnu.org/software/freeipmi/manpages/man8/ipmi-sel.8.html',
  applies: ({ vendor, model }) =>
    /^(?:hp|hpe|hewlett)\b/i.test(vendor) && /proliant dl380 ?g5\b/i.test(model),
  rules: { logRecords: 'events' },
};
