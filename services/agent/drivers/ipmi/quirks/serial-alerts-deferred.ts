import type { Quirk } from '../quirk.ts';

/** FreeIPMI's `serialalertsdeferred`: else what is typed is never acknowledged. */
export const serialAlertsDeferred: Quirk = {
  name: 'serial-alerts-deferred',
  source: 'https://www.gnu.org/software/freeipmi/manpages/man8/ipmiconsole.8.html',
  applies: ({ model }) => /\b(?:windmill|winterfell)\b/i.test(model),
  rules: { serialAlerts: 'deferred' },
};
