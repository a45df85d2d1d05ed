import type { LabLogEntry } from '../../server-port.ts';
import type { LabContext, Route, Write } from '../context.ts';
import { type Json, link, noContent } from '../message.ts';
import { MANAGER, SYSTEM } from './paths.ts';
import { collection, HEALTHY, resource } from './shape.ts';

/** The machine's event log, and that of the controller, which has nothing to say. */
const MACHINE_LOGS = `${SYSTEM}/LogServices`;
const MACHINE_LOG = `${MACHINE_LOGS}/EventLog`;
export const ENTRIES = `${MACHINE_LOG}/Entries`;
const CONTROLLER_LOGS = `${MANAGER}/LogServices`;

const serviceOf = ({ clock }: LabContext): Json =>
  resource('LogService', MACHINE_LOG, {
    Name: 'Event log',
    ServiceEnabled: true,
    LogEntryType: 'Event',
    OverWritePolicy: 'WrapsWhenFull',
    MaxNumberOfRecords: 500,
    DateTime: clock.now().toISOString(),
    DateTimeLocalOffset: '+00:00',
    Status: HEALTHY,
    Entries: link(ENTRIES),
    Actions: { '#LogService.ClearLog': { target: CLEAR } },
  });

const CLEAR = `${MACHINE_LOG}/Actions/LogService.ClearLog`;

const clear: Write = ({ server }) => {
  server.clearLog();
  return noContent;
};

const SEVERITIES = { ok: 'OK', warning: 'Warning', critical: 'Critical' } as const;

const entryOf = (entry: LabLogEntry): Json =>
  resource('LogEntry', `${ENTRIES}/${entry.id}`, {
    Name: `Entry ${entry.id}`,
    EntryType: 'Event',
    Created: entry.at.toISOString(),
    Severity: SEVERITIES[entry.severity],
    Message: entry.message,
  });

export const LOG_ROUTES: readonly Route[] = [
  {
    path: MACHINE_LOGS,
    get: () => collection('LogService', MACHINE_LOGS, { name: 'Logs', ids: ['EventLog'] }),
  },
  { path: MACHINE_LOG, get: serviceOf },
  {
    path: ENTRIES,
    get: ({ server, personality }) => {
      const log = server.log();
      const listed = collection('LogEntry', ENTRIES, {
        name: 'Entries',
        ids: log.map(({ id }) => String(id)),
      });
      // Of all collections this one has its members in it (LogEntryCollection, OData.AutoExpand).
      return personality.logEntries === 'links' ? listed : { ...listed, Members: log.map(entryOf) };
    },
  },
  {
    path: `${ENTRIES}/{id}`,
    get: ({ server }, { id }) => {
      const entry = server.log().find((one) => String(one.id) === id);
      return entry === undefined ? undefined : entryOf(entry);
    },
  },
  { path: CLEAR, post: clear },
  {
    path: CONTROLLER_LOGS,
    get: () => collection('LogService', CONTROLLER_LOGS, { name: 'Logs', ids: [] }),
  },
];
