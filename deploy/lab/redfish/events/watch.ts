import type { Clock } from '../../../../services/runtime/clock.ts';
import type { LabLogEntry, LabPower, LabServer } from '../../server-port.ts';
import type { LabTask } from '../tasks.ts';
import { eventOf, type LabEvent } from './event.ts';

/** Where what happens is seen; the paths of the service that shows it. */
export type EventPlaces = {
  readonly system: string;
  readonly drive: string;
  readonly bios: string;
  readonly tasks: string;
  readonly logEntries: string;
};

type Watching = {
  readonly server: LabServer;
  readonly clock: Clock;
  readonly places: EventPlaces;
  readonly tell: (event: LabEvent) => void;
};

/** Tells what happens to a server from now on, until the function that it answers is called. */
export const watchServer = ({ server, clock, places, tell }: Watching): (() => void) => {
  let before = lookAt(server);
  return server.onChange(() => {
    const now = lookAt(server);
    const found = eventsBetween({ before, now }, { places, at: clock.now(), server });
    before = now;
    for (const event of found) tell(event);
  });
};

type Look = {
  readonly power: LabPower;
  readonly boot: string;
  readonly media: string | undefined;
  readonly bios: string;
  readonly log: readonly LabLogEntry[];
  readonly lastLogId: number;
};

const lookAt = (server: LabServer): Look => {
  const log = server.log();
  return {
    power: server.power(),
    boot: JSON.stringify(server.boot()),
    media: server.media(),
    bios: JSON.stringify([[...server.bios()], [...server.pendingBios()]]),
    log,
    lastLogId: log.at(-1)?.id ?? 0,
  };
};

const POWERED = {
  on: 'ResourcePoweredOn',
  off: 'ResourcePoweredOff',
  turning_on: 'ResourcePoweringOn',
  turning_off: 'ResourcePoweringOff',
} as const satisfies Readonly<Record<LabPower, string>>;

type Looks = { readonly before: Look; readonly now: Look };
type Seen = Pick<Watching, 'places' | 'server'> & { readonly at: Date };

const eventsBetween = ({ before, now }: Looks, { places, at, server }: Seen): LabEvent[] => {
  const changed = (origin: string, originType: string): LabEvent =>
    eventOf('ResourceEvent', 'ResourceChanged', {
      ...{ type: 'ResourceUpdated', origin, originType, at },
    });
  return [
    ...(now.power === before.power
      ? []
      : [
          eventOf('ResourceEvent', POWERED[now.power], {
            ...{ type: 'StatusChange', origin: places.system, originType: 'ComputerSystem', at },
            args: [server.hardware.name],
          }),
        ]),
    ...(now.boot === before.boot ? [] : [changed(places.system, 'ComputerSystem')]),
    ...(now.media === before.media ? [] : [changed(places.drive, 'VirtualMedia')]),
    ...(now.bios === before.bios ? [] : [changed(places.bios, 'Bios')]),
    ...now.log
      .filter(({ id }) => id > before.lastLogId)
      .map((entry) => entryEvent(entry, places.logEntries)),
  ];
};

const SEVERITIES = { ok: 'OK', warning: 'Warning', critical: 'Critical' } as const;

const entryEvent = ({ id, at, severity, message }: LabLogEntry, entries: string): LabEvent => {
  const origin = `${entries}/${id}`;
  return eventOf('ResourceEvent', 'ResourceCreated', {
    ...{ type: 'Alert', origin, originType: 'LogEntry', at, severity: SEVERITIES[severity] },
    rest: { Message: message, LogEntry: { '@odata.id': origin } },
  });
};

const TASKS = {
  Running: 'TaskStarted',
  Completed: 'TaskCompletedOK',
  Exception: 'TaskAborted',
} as const satisfies Readonly<Record<LabTask['state'], string>>;

export const taskEvent = ({ id, state }: LabTask, tasks: string, at: Date): LabEvent =>
  eventOf('TaskEvent', TASKS[state], {
    ...{ type: 'StatusChange', origin: `${tasks}/${id}`, originType: 'Task', at, args: [id] },
  });
