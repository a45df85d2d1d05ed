import type { Clock } from '../../../runtime/clock.ts';
import type { BmcCredentials } from '../../bmc-port.ts';
import type { RedfishClient } from './client.ts';
import type { QuirkRules } from './quirk.ts';
import type { Resource } from './resource.ts';

/** One machine at one service: where its parts are, as they were found when it was opened. */
export type Place = {
  readonly client: RedfishClient;
  /** Tells the session that its user has another password from now on. */
  readonly renew: (credentials: BmcCredentials) => void;
  readonly clock: Clock;
  readonly rules: QuirkRules;
  /** How long what was written may take to be seen, in milliseconds. */
  readonly settleMs: number;
  readonly root: Resource;
  readonly system: Resource;
  readonly systemLink: string;
  /** Undefined = the service names no manager of this system. */
  readonly manager: Resource | undefined;
  readonly chassisLinks: readonly string[];
};
