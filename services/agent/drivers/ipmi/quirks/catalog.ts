import type { BmcIdentity, Quirk } from '../quirk.ts';
import { dellScanningBit } from './dell-scanning-bit.ts';
import { fujitsuSensorOwner } from './fujitsu-sensor-owner.ts';
import { guidAsItReads } from './guid-as-it-reads.ts';
import { hpDiscreteAmounts } from './hp-discrete-amounts.ts';
import { hpLogRecords } from './hp-log-records.ts';
import { serialAlertsDeferred } from './serial-alerts-deferred.ts';

/** All that is known, in the order in which they apply. */
export const QUIRKS: readonly Quirk[] = [
  ...[guidAsItReads, dellScanningBit, fujitsuSensorOwner],
  ...[hpDiscreteAmounts, hpLogRecords, serialAlertsDeferred],
];

export const quirksOf = (identity: BmcIdentity): readonly Quirk[] =>
  QUIRKS.filter((quirk) => quirk.applies(identity));
