import type { Quirk } from '../quirk.ts';

/** An override that does not say the boot mode sets it back to Legacy. */
export const supermicroBootMode: Quirk = {
  name: 'supermicro-boot-mode',
  source: 'https://github.com/DMTF/Redfishtool/pull/106',
  applies: ({ vendor }) => /^super\s?micro\b/i.test(vendor),
  rules: { bootMode: 'always' },
};
