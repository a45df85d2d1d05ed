import { sql } from 'kysely';
import type { Migration, MigrationDb, TableBuilder } from '../../store/sql/migration.ts';

type Column = keyof MigrationDb['type'];

/** Adds columns that may not be null; a trailing "?" on the type lets them be. */
const columns =
  ({ type }: MigrationDb, wanted: Readonly<Record<string, Column | `${Column}?`>>) =>
  (table: TableBuilder): TableBuilder => {
    let built = table;
    for (const [name, kind] of Object.entries(wanted)) {
      const isNullable = kind.endsWith('?');
      const column = type[(isNullable ? kind.slice(0, -1) : kind) as Column];
      built = built.addColumn(name, column, (one) => (isNullable ? one : one.notNull()));
    }
    return built;
  };

const machines = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'machine',
    columns(db, {
      uid: 'text',
      version: 'bigint',
      partition_key: 'text',
      project_key: 'text',
      id_key: 'text',
      living: 'integer',
      state: 'text',
      state_ms: 'bigint',
      claim_uid: 'text?',
      claim_group: 'text?',
      claim_index: 'integer?',
      image_uid: 'text?',
      doc: 'text',
    }),
  );
  const isLiving = sql<boolean>`living = 1`;
  await db.createUnique('machine', ['uid']);
  await db.createUnique('machine', ['partition_key', 'project_key', 'id_key'], isLiving);
  // One machine per place of a claim, whoever writes.
  await db.createUnique('machine', ['claim_uid', 'claim_group', 'claim_index'], isLiving);
  await db.createIndex('machine', ['project_key', 'partition_key', 'id_key']);
  await db.createIndex('machine', ['state', 'state_ms']);
  await db.createIndex('machine', ['image_uid']);
};

const operations = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'operation',
    columns(db, {
      uid: 'text',
      partition_key: 'text',
      project_key: 'text',
      target_uid: 'text',
      done: 'integer',
      wake_ms: 'bigint',
      end_ms: 'bigint?',
      claim_begun: 'integer',
      owner: 'text?',
      lease_epoch: 'bigint',
      lease_until_ms: 'bigint',
      doc: 'text',
    }),
  );
  await db.createUnique('operation', ['uid']);
  await db.createIndex('operation', ['done', 'wake_ms']);
  await db.createIndex('operation', ['target_uid', 'id']);
  await db.createIndex('operation', ['partition_key', 'id']);
  await db.createIndex('operation', ['end_ms']);
};

const agents = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'agent',
    columns(db, {
      uid: 'text',
      version: 'bigint',
      partition_key: 'text',
      agent_key: 'text',
      epoch: 'bigint',
      replica: 'text',
      state: 'text',
      last_sequence: 'bigint',
      doc: 'text',
    }),
  );
  await db.createUnique('agent', ['uid']);
  await db.createUnique('agent', ['agent_key']);
  await db.createIndex('agent', ['state', 'replica']);
  await db.createTable(
    'assignment',
    columns(db, {
      uid: 'text',
      partition_key: 'text',
      provider_uid: 'text',
      agent_key: 'text',
      incarnation: 'bigint',
      generation: 'bigint',
      digest: 'text',
      absent: 'integer',
      gone: 'integer',
      digests: 'text',
      bytes: 'bytes',
    }),
  );
  await db.createUnique('assignment', ['uid']);
  await db.createIndex('assignment', ['agent_key']);
  await db.createIndex('assignment', ['provider_uid']);
};

const events = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'event',
    columns(db, {
      uid: 'text',
      partition_key: 'text',
      project_key: 'text',
      target_uid: 'text',
      record_ms: 'bigint',
      doc: 'text',
    }),
  );
  await db.createUnique('event', ['uid']);
  await db.createIndex('event', ['target_uid', 'id']);
  await db.createIndex('event', ['project_key', 'partition_key', 'id']);
  await db.createIndex('event', ['record_ms']);
};

const images = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'image',
    columns(db, {
      uid: 'text',
      version: 'bigint',
      id_key: 'text',
      project_key: 'text',
      state: 'text',
      fetching: 'integer',
      owner: 'text?',
      lease_until_ms: 'bigint',
      doc: 'text',
    }),
  );
  await db.createUnique('image', ['uid']);
  await db.createUnique('image', ['id_key']);
  await db.createIndex('image', ['fetching', 'lease_until_ms']);
  await db.createTable('image_part', columns(db, { image_uid: 'text', sha256: 'text' }));
  await db.createIndex('image_part', ['sha256']);
  await db.createIndex('image_part', ['image_uid']);
  await db.createTable(
    'artifact',
    columns(db, {
      uid: 'text',
      sha256: 'text',
      size_bytes: 'bigint',
      complete: 'integer',
      update_ms: 'bigint',
    }),
  );
  await db.createUnique('artifact', ['uid']);
  await db.createUnique('artifact', ['sha256'], sql<boolean>`complete = 1`);
  await db.createIndex('artifact', ['update_ms']);
  await db.createTable(
    'artifact_part',
    columns(db, { artifact_uid: 'text', position: 'bigint', data: 'bytes' }),
  );
  await db.createUnique('artifact_part', ['artifact_uid', 'position']);
};

const keepers = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'provider_state',
    columns(db, {
      provider_uid: 'text',
      partition_key: 'text',
      state: 'text',
      generation: 'bigint',
    }),
  );
  await db.createUnique('provider_state', ['provider_uid']);
  await db.createTable(
    'sweeper',
    columns(db, { partition_key: 'text', owner: 'text', lease_until_ms: 'bigint' }),
  );
  await db.createUnique('sweeper', ['partition_key']);
};

const providerLife = async (db: MigrationDb): Promise<void> => {
  // SQLite adds one column at a time.
  const table = () => db.kysely.schema.alterTable('provider_state');
  await table()
    .addColumn('version', db.type.bigint, (column) => column.notNull().defaultTo(1))
    .execute();
  await table().addColumn('owner', db.type.text).execute();
  await table()
    .addColumn('lease_until_ms', db.type.bigint, (column) => column.notNull().defaultTo(0))
    .execute();
  await table()
    .addColumn('doc', db.type.text, (column) => column.notNull().defaultTo('{}'))
    .execute();
  await db.createIndex('provider_state', ['partition_key', 'id']);
  await db.createTable(
    'provider_cleaning',
    columns(db, { claim_uid: 'text', provider_uid: 'text', doc: 'text' }),
  );
  await db.createUnique('provider_cleaning', ['claim_uid', 'provider_uid']);
  await db.createIndex('provider_cleaning', ['provider_uid']);
};

const claimNews = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'claim_news',
    columns(db, { claim_uid: 'text', occurrence: 'text', record_ms: 'bigint' }),
  );
  await db.createUnique('claim_news', ['claim_uid', 'occurrence']);
  await db.createIndex('claim_news', ['occurrence', 'record_ms']);
};

const conflicts = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'provider_conflict',
    columns(db, { provider_uid: 'text', conflict_key: 'text', doc: 'text' }),
  );
  await db.createUnique('provider_conflict', ['provider_uid', 'conflict_key']);
};

const eventSinks = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'event_sink',
    columns(db, { sink_key: 'text', owner: 'text', lease_until_ms: 'bigint', doc: 'text' }),
  );
  await db.createUnique('event_sink', ['sink_key']);
};

const hardware = async (db: MigrationDb): Promise<void> => {
  await db.kysely.schema
    .alterTable('assignment')
    .addColumn('secrets', db.type.text, (column) => column.notNull().defaultTo(''))
    .execute();
  await db.createTable(
    'hardware_order',
    columns(db, { command_uid: 'text', agent_key: 'text', secret_key: 'text', until_ms: 'bigint' }),
  );
  await db.createUnique('hardware_order', ['command_uid']);
  await db.createIndex('hardware_order', ['agent_key', 'secret_key']);
  await db.createIndex('hardware_order', ['until_ms']);
  await db.createTable(
    'hardware_lease',
    columns(db, {
      provider_uid: 'text',
      partition_key: 'text',
      agent_key: 'text',
      epoch: 'bigint',
    }),
  );
  await db.createUnique('hardware_lease', ['provider_uid']);
  await db.createIndex('hardware_lease', ['partition_key', 'id']);
  await db.createIndex('hardware_lease', ['agent_key']);
};

const servers = async (db: MigrationDb): Promise<void> => {
  await db.kysely.schema
    .alterTable('assignment')
    .addColumn('server', db.type.integer, (column) => column.notNull().defaultTo(0))
    .execute();
};

const tasks = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'hardware_task',
    columns(db, {
      uid: 'text',
      kind: 'text',
      provider_uid: 'text',
      subject: 'text',
      done: 'integer',
      wake_ms: 'bigint',
      end_ms: 'bigint?',
      owner: 'text?',
      lease_epoch: 'bigint',
      lease_until_ms: 'bigint',
      doc: 'text',
    }),
  );
  await db.createUnique('hardware_task', ['uid']);
  const isOpen = sql<boolean>`done = 0`;
  await db.createUnique('hardware_task', ['kind', 'provider_uid', 'subject'], isOpen);
  await db.createIndex('hardware_task', ['provider_uid']);
  await db.createIndex('hardware_task', ['done', 'wake_ms']);
  await db.createIndex('hardware_task', ['end_ms']);
};

const consoles = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'console_session',
    columns(db, {
      uid: 'text',
      target_uid: 'text',
      replica: 'text',
      principal: 'text',
      since_ms: 'bigint',
    }),
  );
  await db.createUnique('console_session', ['uid']);
  await db.createIndex('console_session', ['target_uid']);
};

const consoleTokens = async (db: MigrationDb): Promise<void> => {
  await db.createTable(
    'console_token',
    columns(db, {
      hash: 'text',
      machine_uid: 'text',
      read_only: 'integer',
      principal: 'text',
      until_ms: 'bigint',
    }),
  );
  await db.createUnique('console_token', ['hash']);
  await db.createIndex('console_token', ['until_ms']);
};

const cleaningEnds = async (db: MigrationDb): Promise<void> => {
  await db.kysely.schema
    .alterTable('provider_cleaning')
    .addColumn('done_ms', db.type.bigint)
    .execute();
  await db.createIndex('provider_cleaning', ['done_ms']);
};

const ordersAtProviders = async (db: MigrationDb): Promise<void> => {
  await db.kysely.schema
    .alterTable('hardware_order')
    .addColumn('provider_uid', db.type.text, (column) => column.notNull().defaultTo(''))
    .execute();
  await db.createIndex('hardware_order', ['provider_uid']);
};

/** Which agents of its pool could not reach a controller. */
const missedControllers = async (db: MigrationDb): Promise<void> => {
  await db.kysely.schema
    .alterTable('hardware_lease')
    .addColumn('missed', db.type.text, (column) => column.notNull().defaultTo(''))
    .execute();
};

export const machineMigrations: readonly Migration[] = [
  {
    name: '0001-machines',
    up: async (db) => {
      await machines(db);
      await operations(db);
      await agents(db);
      await events(db);
      await images(db);
      await keepers(db);
    },
  },
  { name: '0002-provider-life', up: providerLife },
  { name: '0003-claim-news', up: claimNews },
  { name: '0004-event-sinks', up: eventSinks },
  { name: '0005-hardware', up: hardware },
  { name: '0006-servers', up: servers },
  { name: '0007-hardware-tasks', up: tasks },
  { name: '0008-consoles', up: consoles },
  { name: '0009-cleaning-ends', up: cleaningEnds },
  { name: '0010-orders-at-providers', up: ordersAtProviders },
  { name: '0011-provider-conflicts', up: conflicts },
  { name: '0012-console-tokens', up: consoleTokens },
  { name: '0013-missed-controllers', up: missedControllers },
];
