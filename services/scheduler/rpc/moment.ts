import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import { invalidField } from './claim-request.ts';

/** The end of the year 9999, which the contract's JSON cannot say more than. */
const LAST_MS = 253_402_300_799_999;

/** Milliseconds since 1970; undefined where nothing is given. Errors: invalid_argument. */
export const momentOf = (time: Timestamp | undefined, field: string): number | undefined => {
  if (time === undefined) return undefined;
  const ms = timestampMs(time);
  if (ms >= 0 && ms <= LAST_MS) return ms;
  throw invalidField(field, 'must lie between the years 1970 and 9999');
};
