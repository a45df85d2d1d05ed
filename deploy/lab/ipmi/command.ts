/** What a command of the virtual controller is given and answers. */
import type { Clock } from '../../../services/runtime/clock.ts';
import type { Random } from '../../../services/runtime/random.ts';
import type { LabServer } from '../server-port.ts';
import type { FruImage } from './fru-image.ts';
import type { ManagedSession } from './managed-session.ts';
import type { Personality } from './personality.ts';
import type { SolEndpoint } from './sol-endpoint.ts';
import type { Watchdog } from './watchdog.ts';

/** Of one controller, for as long as its process lives; what must survive is in the server. */
export type ControllerState = {
  readonly clock: Clock;
  readonly random: Random;
  readonly server: LabServer;
  readonly fru: FruImage;
  readonly personality: Personality;
  readonly sol: SolEndpoint;
  readonly watchdog: Watchdog;
  readonly sessions: Map<number, ManagedSession>;
  /** Of whoever reads or changes the log, sensors; 0 = none. */
  selReservation: number;
  sdrReservation: number;
  bootSetInProgress: number;
  /** User slots that may not use Serial over LAN. */
  readonly withoutSol: Set<number>;
  solEnabled: boolean;
  /** Milliseconds that the log's clock is ahead of ours. */
  selClockAheadMs: number;
  /** While the indicator is lit for some seconds only: ends that. */
  identifying: AbortController | undefined;
};

export type CommandContext = {
  readonly state: ControllerState;
  /** Undefined: asked without one. */
  readonly session: ManagedSession | undefined;
  readonly port: number;
  readonly host: string;
};

export type CommandAnswer = { readonly code: number; readonly data: Buffer };

export type Command = {
  /** Level that a session must have; 0: may be asked without a session. */
  readonly privilege: number;
  readonly run: (data: Buffer, context: CommandContext) => CommandAnswer | Promise<CommandAnswer>;
};

export const LEVEL = { none: 0, user: 2, operator: 3, administrator: 4 } as const;

/** By (network function << 8) | command. */
export type CommandTable = ReadonlyMap<number, Command>;

export const commandKey = (netFn: number, command: number): number => (netFn << 8) | command;

export const ok = (...bytes: readonly (number | Buffer)[]): CommandAnswer => ({
  code: 0,
  data: Buffer.concat(bytes.map((one) => (typeof one === 'number' ? Buffer.from([one]) : one))),
});

export const failed = (code: number): CommandAnswer => ({ code, data: Buffer.alloc(0) });

/** What an answer about a configuration parameter begins with. */
export const PARAMETER_REVISION = 0x11;
/** Completion code of all commands that read or set one (IPMI 2.0 §23, §26, §28). */
export const UNKNOWN_PARAMETER = 0x80;

export const commands = (
  netFn: number,
  table: Readonly<Record<number, Command>>,
): readonly (readonly [number, Command])[] =>
  Object.entries(table).map(([command, one]) => [commandKey(netFn, Number(command)), one]);

export const uint16 = (value: number): Buffer => Buffer.from([value & 0xff, (value >> 8) & 0xff]);

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};
