import type { Quirk } from '../quirk.ts';

/** It keeps target and mode of an override and shows it as Continuous, and knows no target None. */
export const sushyToolsBootLasts: Quirk = {
  name: 'sushy-tools-boot-lasts',
  source:
    'https://opendev.org/openstack/sushy-tools/src/branch/master/sushy_tools/emulator/main.py',
  applies: ({ vendor }) => /^sushy emulator\b/i.test(vendor),
  rules: { bootOverride: 'lasts' },
};
