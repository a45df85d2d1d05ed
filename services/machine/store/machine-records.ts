import { sql } from 'kysely';
import { aborted, alreadyExists } from '../../runtime/errors.ts';
import { isUid } from '../../runtime/names.ts';
import { behindKey } from '../../store/sql/page.ts';
import { uniqueViolation } from '../../store/sql/store-error.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import { updateRows } from '../../store/sql/update-rows.ts';
import { type Machine, machineName } from '../domain/machine.ts';
import type { MachineFilter, MachineRecords } from '../ports.ts';
import { below, db, keyOf, readDoc, within, writeDoc } from './rows.ts';

const rowOf = (machine: Machine) => ({
  version: machine.version,
  living: machine.state === 'gone' ? 0 : 1,
  state: machine.state,
  state_ms: machine.stateMs,
  claim_uid: machine.holding?.claimUid ?? null,
  claim_group: machine.holding?.group ?? null,
  claim_index: machine.holding?.index ?? null,
  image_uid: machine.resolved.imageUids[0] ?? null,
  doc: writeDoc(machine),
});

const keysOf = (machine: Machine) => ({
  uid: machine.uid,
  partition_key: keyOf(machine.partition),
  project_key: keyOf(machine.project),
  id_key: keyOf(machine.machineId),
});

type Stored = { readonly doc: string; readonly version: number };

const read = ({ doc, version }: Stored): Machine =>
  readDoc<Machine>(doc, { version: Number(version) });

const first = (row: Stored | undefined): Machine | undefined =>
  row === undefined ? undefined : read(row);

const changed = (tx: Tx, machine: Machine): void =>
  tx.change({
    kind: 'machine',
    uid: machine.uid,
    projectUid: machine.project,
    deleted: machine.state === 'gone',
  });

/** A violation tells by its index what was taken. */
const explain = (error: unknown, machine: Machine): unknown => {
  const columns = uniqueViolation(error)?.columns ?? [];
  if (columns.includes('id_key')) {
    return alreadyExists('ALREADY_EXISTS', `The machine "${machineName(machine)}" exists already`, {
      metadata: { name: machineName(machine), type: 'runm.machine' },
      cause: error,
    });
  }
  if (columns.includes('claim_uid')) {
    return aborted('BUSY', `Another machine has just taken that place of the claim`, {
      metadata: { claim: machine.holding?.claim ?? '' },
      cause: error,
    });
  }
  return error;
};

const explainOne = (error: unknown, [only, ...others]: readonly Machine[]): unknown =>
  only === undefined || others.length > 0 ? error : explain(error, only);

const SAVED_COLUMNS = {
  uid: 'text',
  version: 'bigint',
  living: 'bigint',
  state: 'text',
  state_ms: 'bigint',
  claim_uid: 'text',
  claim_group: 'text',
  claim_index: 'bigint',
  image_uid: 'text',
  doc: 'text',
} as const;
const SAVED = ['version', 'living', 'state', 'state_ms', 'claim_uid', 'claim_group'] as const;
const COLUMNS = ['doc', 'version'] as const;
const NAME_COLUMNS = ['partition_key', 'project_key', 'id_key'];

export const machineRecords: MachineRecords = {
  insert: (tx, machine) => machineRecords.insertMany(tx, [machine]),
  insertMany: async (tx, machines) => {
    try {
      await db(tx)
        .insertInto('machine')
        .values(machines.map((machine) => ({ ...keysOf(machine), ...rowOf(machine) })))
        .execute();
    } catch (error) {
      throw explainOne(error, machines);
    }
    for (const machine of machines) changed(tx, machine);
  },
  lock: async (tx, uid) =>
    first(
      await db(tx)
        .updateTable('machine')
        .set({ version: sql<number>`version + 1` })
        .where('uid', '=', uid)
        .returning(COLUMNS)
        .executeTakeFirst(),
    ),
  save: async (tx, machine) => {
    try {
      await db(tx)
        .updateTable('machine')
        .set(rowOf(machine))
        .where('uid', '=', machine.uid)
        .execute();
    } catch (error) {
      throw explain(error, machine);
    }
    changed(tx, machine);
  },
  saveNext: async (tx, machines) => {
    try {
      const saved = await updateRows(db(tx), {
        table: 'machine',
        columns: SAVED_COLUMNS,
        rows: machines.map((machine) => ({ uid: machine.uid, ...rowOf(machine) })),
        written: [...SAVED, 'claim_index', 'image_uid', 'doc'],
        where: sql<boolean>`machine.version = given.version - 1`,
      });
      for (const machine of machines) if (saved.has(machine.uid)) changed(tx, machine);
      return saved;
    } catch (error) {
      throw explainOne(error, machines);
    }
  },
  find: async (reader, uid) =>
    first(
      await db(reader)
        .selectFrom('machine')
        .select(COLUMNS)
        .where('uid', '=', uid)
        .executeTakeFirst(),
    ),
  findByPath: async (reader, path) => {
    const rows = db(reader).selectFrom('machine').select(COLUMNS).where(below(path));
    const one = isUid(path.machine)
      ? rows.where('uid', '=', path.machine.toLowerCase())
      : rows.where('id_key', '=', keyOf(path.machine)).where('living', '=', 1);
    return first(await one.executeTakeFirst());
  },
  findMany: async (reader, uids) => {
    if (uids.length === 0) return [];
    const rows = await db(reader)
      .selectFrom('machine')
      .select(COLUMNS)
      .where('uid', 'in', [...uids])
      .execute();
    return rows.map(read);
  },
  list: async (reader, filter, page) => {
    const rows = await db(reader)
      .selectFrom('machine')
      .select(COLUMNS)
      .where(below(filter.parent))
      .where(within(filter.access))
      .where(stateIn(filter))
      .where(behindKey([...NAME_COLUMNS, 'uid'], page))
      .orderBy('partition_key')
      .orderBy('project_key')
      .orderBy('id_key')
      .orderBy('uid')
      .limit(page.limit)
      .execute();
    return rows.map(read);
  },
  usingImage: async (reader, imageUid) =>
    first(
      await db(reader)
        .selectFrom('machine')
        .select(COLUMNS)
        .where('image_uid', '=', imageUid)
        .where('living', '=', 1)
        .limit(1)
        .executeTakeFirst(),
    ),
  ofClaim: async (reader, claimUid) => {
    const rows = await db(reader)
      .selectFrom('machine')
      .select(COLUMNS)
      .where('claim_uid', '=', claimUid)
      .where('living', '=', 1)
      .execute();
    return rows.map(read);
  },
  placesUsed: async (reader, claimUid) => {
    const rows = await db(reader)
      .selectFrom('machine')
      .select(['claim_group', 'claim_index'])
      .where('claim_uid', '=', claimUid)
      .where('living', '=', 1)
      .execute();
    return rows.map((row) => ({
      group: row.claim_group ?? '',
      index: Number(row.claim_index ?? 0),
    }));
  },
  inStates: async (reader, { partition, states, beforeMs, limit }) => {
    const rows = await db(reader)
      .selectFrom('machine')
      .select(COLUMNS)
      .where('state', 'in', [...states])
      .where('state_ms', '<', beforeMs)
      .where('partition_key', '=', keyOf(partition))
      .orderBy('state_ms')
      .limit(limit)
      .execute();
    return rows.map(read);
  },
  removeGone: async (tx, beforeMs, limit) => {
    const rows = await db(tx)
      .selectFrom('machine')
      .select('uid')
      .where('state', '=', 'gone')
      .where('state_ms', '<', beforeMs)
      .limit(limit)
      .execute();
    const uids = rows.map((row) => row.uid);
    if (uids.length === 0) return uids;
    await db(tx).deleteFrom('machine').where('uid', 'in', uids).execute();
    for (const uid of uids) tx.change({ kind: 'machine', uid, deleted: true });
    return uids;
  },
};

const stateIn = ({ states }: MachineFilter) =>
  states.length === 0
    ? sql<boolean>`living = 1`
    : sql<boolean>`state in (${sql.join([...states])})`;

/** The ordering columns of a machine, for the page token. */
export const machinePageKey = (machine: Machine): readonly string[] => [
  keyOf(machine.partition),
  keyOf(machine.project),
  keyOf(machine.machineId),
  machine.uid,
];
