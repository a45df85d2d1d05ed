import type { Clock } from '../../../../runtime/clock.ts';
import type { QuirkRules } from '../quirk.ts';
import type { DeviceId } from '../records/device-id.ts';
import type { Link } from '../session/link.ts';

/** What every aspect of one controller works with. */
export type Place = {
  readonly clock: Clock;
  readonly link: Link;
  readonly rules: QuirkRules;
  readonly deviceId: DeviceId;
  /** Number of the channel that it is asked over. */
  readonly channel: number;
  /** How long what was written may take to be seen, in milliseconds. */
  readonly settleMs: number;
};
