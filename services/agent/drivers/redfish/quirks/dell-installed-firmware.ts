import type { Quirk } from '../quirk.ts';

/** iDRAC lists each component up to three times: Installed-, Current- and Previous-. */
export const dellInstalledFirmware: Quirk = {
  name: 'dell-installed-firmware',
  source: 'https://github.com/dell/iDRAC-Redfish-Scripting/issues/264',
  applies: ({ vendor }) => /^dell\b/i.test(vendor),
  rules: { installedFirmware: /^Installed-/ },
};
