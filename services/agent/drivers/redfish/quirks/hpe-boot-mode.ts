import type { Quirk } from '../quirk.ts';

/** iLO answers 400 to an override that says the boot mode, also where it is the present one. */
export const hpeBootMode: Quirk = {
  name: 'hpe-boot-mode',
  source: 'https://github.com/ansible-collections/community.general/issues/3509',
  applies: ({ vendor }) => /^(?:hpe?|hewlett)\b/i.test(vendor),
  rules: { bootMode: 'never' },
};
