/**
 * What the control plane has written down about one server and its machine, read from the database
 * beside the process that writes it: so a step is seen when it is recorded, not when it is told.
 */
import { DatabaseSync } from 'node:sqlite';

export type Watched = {
  /** Empty: there is none yet. */
  readonly providerUid: string;
  /** Its id, which no other machine ever had. */
  readonly machineId: string;
};

export type Journal = Disposable & {
  /** Whether anything was written since this was asked last. */
  readonly hasChanged: () => boolean;
  /** Every step, state and event on record, each as a sentence that is the same on every day. */
  readonly steps: (watched: Watched) => readonly string[];
  /** What the operations of a machine say of themselves, for who has to find out why. */
  readonly notes: (machineId: string) => string;
  /** Living machines with that id. */
  readonly living: (machineId: string) => number;
};

const of = (value: unknown, key: string): unknown => Object(value)[key];

const docOf = (row: unknown): unknown => JSON.parse(String(of(row, 'doc')));

export const openJournal = (file: string): Journal => {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  const version = database.prepare('pragma data_version');
  const rows = (sql: string) => database.prepare(sql);
  const operations = rows('select doc from operation where target_uid = ? order by id');
  const tasks = rows(
    'select kind, done, doc from hardware_task where provider_uid = ? order by id',
  );
  const states = rows('select state from provider_state where provider_uid = ?');
  const machines = rows('select uid, state from machine where id_key = ?');
  const events = rows('select doc from event where target_uid in (?, ?) order by id');
  const living = rows('select count(*) as n from machine where id_key = ? and living = 1');
  let seen: unknown;
  return {
    hasChanged: () => {
      const now = of(version.get(), 'data_version');
      const changed = now !== seen;
      seen = now;
      return changed;
    },
    steps: ({ providerUid, machineId }) => {
      const machine = machines.get(machineId);
      const uid = String(of(machine, 'uid'));
      return [
        ...states.all(providerUid).map((row) => `provider ${String(of(row, 'state'))}`),
        ...tasks.all(providerUid).map(taskStep),
        ...(machine === undefined ? [] : [`machine ${String(of(machine, 'state'))}`]),
        ...operations.all(uid).flatMap((row) => operationSteps(docOf(row))),
        ...events.all(providerUid, uid).map((row) => `event ${String(of(docOf(row), 'type'))}`),
      ];
    },
    notes: (machineId) =>
      operations
        .all(String(of(machines.get(machineId), 'uid')))
        .map((row) => JSON.stringify(of(docOf(row), 'steps')))
        .join('\n'),
    living: (machineId) => Number(of(living.get(machineId), 'n')),
    [Symbol.dispose]: () => database.close(),
  };
};

const taskStep = (row: unknown): string => {
  const doc = docOf(row);
  const end = of(doc, 'failure') === null ? 'done' : 'failed';
  const step = of(row, 'done') === 1 ? end : String(of(doc, 'step'));
  return `task ${String(of(row, 'kind'))} ${step}`;
};

const operationSteps = (doc: unknown): readonly string[] => {
  const verb = String(of(doc, 'verb'));
  const steps = of(doc, 'steps');
  const shown = (Array.isArray(steps) ? steps : [])
    .filter((step) => of(step, 'state') !== 'pending')
    .map((step) => `${verb} ${String(of(step, 'name'))} ${String(of(step, 'state'))}`);
  return of(doc, 'endMs') === null ? shown : [...shown, `${verb} ended`];
};
