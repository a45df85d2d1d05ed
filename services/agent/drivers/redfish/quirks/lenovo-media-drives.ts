import type { Quirk } from '../quirk.ts';

/** Of the ten drives of an XCC only EXT1 to EXT4 take a URL; RDOC1 and RDOC2 come first. */
export const lenovoMediaDrives: Quirk = {
  name: 'lenovo-media-drives',
  source: 'https://github.com/lenovo/python-redfish-lenovo/issues/21',
  applies: ({ vendor, product }) =>
    /^lenovo\b/i.test(vendor) && /\bXC(?:C|larity)\b/i.test(product),
  rules: { mediaDrives: /^EXT\d+$/ },
};
