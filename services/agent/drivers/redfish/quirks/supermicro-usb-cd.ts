import type { Quirk } from '../quirk.ts';

/** Virtual media of X11 and X12 boards is a USB drive; `Cd` is offered, too, and does not boot. */
export const supermicroUsbCd: Quirk = {
  name: 'supermicro-usb-cd',
  source: 'https://opendev.org/openstack/sushy/src/branch/master/sushy/resources/system/system.py',
  applies: ({ vendor }) => /^super\s?micro\b/i.test(vendor),
  rules: { cdromTarget: 'UsbCd' },
};
