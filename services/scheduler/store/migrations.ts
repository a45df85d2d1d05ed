import type { Migration, MigrationDb } from '../../store/sql/migration.ts';
import { useRows } from './past-uses.ts';

const createPastChange = async (db: MigrationDb): Promise<void> => {
  const { text, bigint, integer } = db.type;
  await db.createTable('past_change', (table) =>
    table
      .addColumn('partition', text, (column) => column.notNull())
      .addColumn('number', bigint, (column) => column.notNull())
      .addColumn('position', integer, (column) => column.notNull())
      .addColumn('at_ms', bigint, (column) => column.notNull())
      .addColumn('action', text, (column) => column.notNull())
      .addColumn('object_uid', text, (column) => column.notNull())
      .addColumn('object_name', text, (column) => column.notNull())
      .addColumn('project', text, (column) => column.notNull())
      .addColumn('principal', text, (column) => column.notNull())
      .addColumn('request_id', text, (column) => column.notNull())
      .addColumn('after', text, (column) => column.notNull()),
  );
  await db.createUnique('past_change', ['partition', 'number', 'position']);
  await db.createIndex('past_change', ['object_uid', 'id']);
};

const createPastClaim = async (db: MigrationDb): Promise<void> => {
  const { text, bigint } = db.type;
  await db.createTable('past_claim', (table) =>
    table
      .addColumn('uid', text, (column) => column.notNull())
      .addColumn('partition', text, (column) => column.notNull())
      .addColumn('project', text, (column) => column.notNull())
      .addColumn('claim_id', text, (column) => column.notNull())
      .addColumn('create_ms', bigint, (column) => column.notNull())
      .addColumn('end_ms', bigint, (column) => column.notNull())
      .addColumn('doc', text, (column) => column.notNull()),
  );
  await db.createUnique('past_claim', ['uid']);
  await db.createIndex('past_claim', ['partition', 'project', 'end_ms']);
};

const createPastUse = async (db: MigrationDb): Promise<void> => {
  const { text, bigint } = db.type;
  await db.createTable('past_use', (table) =>
    table
      .addColumn('claim_uid', text, (column) => column.notNull())
      .addColumn('partition', text, (column) => column.notNull())
      .addColumn('project', text, (column) => column.notNull())
      .addColumn('owner', text, (column) => column.notNull())
      .addColumn('consumer_type', text, (column) => column.notNull())
      .addColumn('resource_type', text, (column) => column.notNull())
      .addColumn('amount', bigint, (column) => column.notNull())
      .addColumn('from_ms', bigint, (column) => column.notNull())
      .addColumn('to_ms', bigint, (column) => column.notNull()),
  );
  await db.createUnique('past_use', ['claim_uid', 'resource_type']);
  await db.createIndex('past_use', ['to_ms', 'id']);
  await db.createIndex('past_use', ['project', 'to_ms', 'id']);
};

/** Past claims that were read at a time. */
const FILL_PAGE = 200;

/** From the records of claims that ended before there was this table. */
const fillPastUse = async (db: MigrationDb): Promise<void> => {
  for (let after = 0; ; ) {
    const claims = await db.kysely
      .selectFrom('past_claim')
      .select(['id', 'uid', 'doc'])
      .where('id', '>', after)
      .orderBy('id')
      .limit(FILL_PAGE)
      .execute();
    const last = claims.at(-1);
    if (last === undefined) return;
    after = Number(last.id);
    const owners = await ownersOf(
      db,
      claims.map(({ uid }) => String(uid)),
    );
    const rows = claims.flatMap(({ uid, doc }) =>
      useRows({ owner: owners.get(String(uid)) ?? '', ...JSON.parse(String(doc)) }).map(
        ({ claim_uid, partition, project, owner, consumer_type, resource_type, ...rest }) => ({
          ...{ claim_uid, partition, project, owner, consumer_type, resource_type },
          // By name: columns that a later step adds are not there yet.
          ...{ amount: rest.amount, from_ms: rest.from_ms, to_ms: rest.to_ms },
        }),
      ),
    );
    for (let at = 0; at < rows.length; at += FILL_PAGE) {
      await db.kysely
        .insertInto('past_use')
        .values(rows.slice(at, at + FILL_PAGE))
        .execute();
    }
  }
};

/** Records of the first release do not say who made them; their history does. */
const ownersOf = async (
  db: MigrationDb,
  uids: readonly string[],
): Promise<ReadonlyMap<string, string>> => {
  const rows = await db.kysely
    .selectFrom('past_change')
    .select(['object_uid', 'principal'])
    .where('action', '=', 'claim.create')
    .where('object_uid', 'in', uids)
    .execute();
  return new Map(rows.map((row) => [String(row.object_uid), String(row.principal)]));
};

const createPastLog = async (db: MigrationDb): Promise<void> => {
  const { text, bigint } = db.type;
  await db.createTable('past_log', (table) =>
    table
      .addColumn('partition', text, (column) => column.notNull())
      .addColumn('number', bigint, (column) => column.notNull()),
  );
  await db.createUnique('past_log', ['partition']);
};

/** Audit rows tell all that these told but how far the log was recorded. */
const replacePastChange = async ({ kysely }: MigrationDb): Promise<void> => {
  await kysely
    .insertInto('past_log')
    .columns(['partition', 'number'])
    .expression(
      kysely
        .selectFrom('past_change')
        .select(({ fn }) => ['partition', fn.max('number').as('number')])
        .groupBy('partition'),
    )
    .execute();
  await kysely.schema.dropTable('past_change').execute();
};

export const schedulerMigrations: readonly Migration[] = [
  {
    name: '0001-history',
    up: async (db) => {
      await createPastChange(db);
      await createPastClaim(db);
    },
  },
  {
    name: '0002-uses',
    up: async (db) => {
      await createPastUse(db);
      await fillPastUse(db);
    },
  },
  {
    name: '0003-log',
    up: async (db) => {
      await createPastLog(db);
      await replacePastChange(db);
    },
  },
];
