import type { Quirk } from '../quirk.ts';

/** iLO 4 has no roles: RoleId is refused, and rights are flags of its own. */
export const hpeAccountFlags: Quirk = {
  name: 'hpe-account-flags',
  source: 'https://github.com/HewlettPackard/python-ilorest-library/issues/84',
  applies: ({ vendor, firmware }) =>
    /^(?:hpe?|hewlett)\b/i.test(vendor) && /\biLO 4\b/.test(firmware),
  rules: {
    accountFlags: {
      make: 'Hp',
      administrator: [
        ...['LoginPriv', 'RemoteConsolePriv', 'UserConfigPriv', 'VirtualMediaPriv'],
        ...['VirtualPowerAndResetPriv', 'iLOConfigPriv'],
      ],
      operator: 'VirtualPowerAndResetPriv',
      readOnly: 'LoginPriv',
    },
  },
};
