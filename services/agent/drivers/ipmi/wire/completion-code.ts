/** What a completion code other than 0 means (IPMI 2.0 §5.2, table 5-2) and what is to be done. */
import { BmcError, type BmcFault } from '../../../bmc-port.ts';

export const CODE = {
  ok: 0x00,
  nodeBusy: 0xc0,
  invalidCommand: 0xc1,
  invalidForLun: 0xc2,
  timeout: 0xc3,
  outOfSpace: 0xc4,
  reservationLost: 0xc5,
  wrongLength: 0xc7,
  lengthLimit: 0xc8,
  outOfRange: 0xc9,
  cannotReturnThatMany: 0xca,
  notPresent: 0xcb,
  invalidField: 0xcc,
  illegalForSensor: 0xcd,
  cannotRespond: 0xce,
  insufficientPrivilege: 0xd4,
  notInThisState: 0xd5,
  disabled: 0xd6,
} as const;

const TEXTS: Readonly<Record<number, string>> = {
  192: 'node busy',
  193: 'invalid command',
  194: 'command invalid for this logical unit',
  195: 'timeout while it processed the command',
  196: 'out of space',
  197: 'reservation cancelled or invalid',
  198: 'request data truncated',
  199: 'request data length invalid',
  200: 'request data field length limit exceeded',
  201: 'parameter out of range',
  202: 'cannot return the number of requested data bytes',
  203: 'requested sensor, data or record not present',
  204: 'invalid data field in request',
  205: 'command illegal for this sensor or record type',
  206: 'command response could not be provided',
  207: 'cannot execute a duplicated request',
  208: 'repository in update mode',
  209: 'device in firmware update mode',
  210: 'initialization in progress',
  211: 'destination unavailable',
  212: 'insufficient privilege level',
  213: 'not supported in the present state',
  214: 'command disabled',
  255: 'unspecified error',
};

const UNSUPPORTED = new Set([0xc1, 0xc2, 0xd6]);
const BUSY = new Set([0xc0, 0xc3, 0xc4, 0xce, 0xd0, 0xd1, 0xd2]);

/** Codes after which the same request may do a moment later. */
export const isPassing = (code: number): boolean => code === CODE.nodeBusy || code === CODE.timeout;

export const completionText = (code: number): string => {
  const hex = `${code.toString(16).padStart(2, '0').toUpperCase()}h`;
  const known = TEXTS[code];
  if (known !== undefined) return `${known} (${hex})`;
  return code >= 0x80 && code <= 0xbe ? `specific to the command (${hex})` : `code ${hex}`;
};

const faultOf = (code: number): BmcFault => {
  if (UNSUPPORTED.has(code)) return 'unsupported';
  return BUSY.has(code) ? 'busy' : 'refused';
};

/** `what` is what was asked, as a person says it: "to switch it on". */
export const completionError = (provider: string, what: string, code: number): BmcError =>
  new BmcError(
    faultOf(code),
    `Controller of provider "${provider}" refused ${what}: ${completionText(code)}`,
    [completionText(code)],
  );
