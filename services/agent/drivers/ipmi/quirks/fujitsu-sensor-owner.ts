import type { Quirk } from '../quirk.ts';

/** FreeIPMI's `assumebmcowner`. */
export const fujitsuSensorOwner: Quirk = {
  name: 'fujitsu-sensor-owner',
  source: 'https://www.gnu.org/software/freeipmi/manpages/man8/ipmi-sensors.8.html',
  applies: ({ vendor, model }) => /^fujitsu\b/i.test(vendor) && /\brx300(?: ?s2)?$/i.test(model),
  rules: { sensorOwner: 'itself' },
};
