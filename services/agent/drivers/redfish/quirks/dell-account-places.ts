import type { Quirk } from '../quirk.ts';

/** iDRAC 7 and 8 have 16 accounts that can be neither created nor deleted. */
export const dellAccountPlaces: Quirk = {
  name: 'dell-account-places',
  source: 'https://github.com/dell/iDRAC-Redfish-Scripting/issues/105',
  // The manager's model is the generation of the server: "13G Monolithic".
  applies: ({ vendor, product }) => /^dell\b/i.test(vendor) && /\b1[23]G\b/.test(product),
  rules: { accountSlots: 'fixed' },
};
