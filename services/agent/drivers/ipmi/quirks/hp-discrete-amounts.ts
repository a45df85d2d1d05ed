import type { Quirk } from '../quirk.ts';

/** FreeIPMI's `discretereading`. */
export const hpDiscreteAmounts: Quirk = {
  name: 'hp-discrete-amounts',
  source: 'https://www.gnu.org/software/freeipmi/manpages/man8/ipmi-sensors.8.html',
  applies: ({ vendor, model }) =>
    /^(?:hp|hpe|hewlett)\b/i.test(vendor) && /proliant (?:dl380 ?g7|ml310 ?g5)\b/i.test(model),
  rules: { discreteAmounts: 'read' },
};
