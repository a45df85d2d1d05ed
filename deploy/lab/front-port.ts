import type { Clock } from '../../services/runtime/clock.ts';
import type { Logger } from '../../services/runtime/log.ts';
import type { Random } from '../../services/runtime/random.ts';
import type { LabFaults, LabServer } from './server-port.ts';

/** What a protocol in front of a virtual server is given by the rack. */
export type LabFrontOptions = {
  readonly server: LabServer;
  readonly faults: LabFaults;
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Of its own, private, kept over restarts: for example a certificate and its key. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
};

/** A protocol that listens. */
export type LabFront = {
  readonly port: number;
  /** Ends what is open, and frees the port. */
  readonly close: () => Promise<void>;
};

export type LabFrontStarter = (options: LabFrontOptions) => Promise<LabFront>;
