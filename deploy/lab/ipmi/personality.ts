import type { GuidOrder } from '../../../services/agent/drivers/ipmi/records/guid.ts';
import {
  CIPHER_SUITES,
  type CipherSuite,
} from '../../../services/agent/drivers/ipmi/wire/cipher-suite.ts';

/** What real controllers do otherwise than IPMI 2.0 says, to try clients on it. */
export type Personality = {
  /** Best first. */
  readonly suites: readonly CipherSuite[];
  readonly guidOrder: GuidOrder;
  /** `late`: opens sessions for any role, and says afterwards that the user may not go so high. */
  readonly roleCheck: 'at sign-in' | 'late';
  /** `never`: readings say that nothing is scanned. */
  readonly scanningBit: 'right' | 'never';
  /** `discrete`: amounts come from sensors whose records say that they have states. */
  readonly amounts: 'threshold' | 'discrete';
  /** Whom the records name. */
  readonly sensorOwner: number;
  /** `deferred`: without alerts that wait nothing that is typed is acknowledged. */
  readonly serialAlerts: 'any' | 'deferred';
  /** `untold`: it has a console and does not know the commands that tell of its settings. */
  readonly solSettings: 'told' | 'untold';
  /** Of the entries of its log. */
  readonly logRecordType: number;
};

export const PLAIN: Personality = {
  suites: CIPHER_SUITES,
  guidOrder: 'ipmi',
  roleCheck: 'at sign-in',
  scanningBit: 'right',
  amounts: 'threshold',
  sensorOwner: 0x20,
  serialAlerts: 'any',
  solSettings: 'told',
  logRecordType: 0x02,
};
