/**
 * Who is at which management controller: until now two records could name the same one. Of two that
 * do the older keeps it, and the other is refused at its next change until one is put right.
 */
import { sql } from 'kysely';
import type { Migration, MigrationDb } from '../../store/sql/migration.ts';
import { controllerAddress } from '../domain/controller-address.ts';
import { identifiersOf } from '../domain/identifiers.ts';

export const controllersMigration: Migration = {
  name: '0004-controllers',
  up: async ({ kysely }) => {
    await kysely.deleteFrom('provider_term').where('kind', '=', 'address').execute();
    for (let after = 0; ; ) {
      const { rows } = await sql<Row>`select id, uid, partition_key, id_key, doc from provider
         where id > ${after} order by id limit ${ROWS}`.execute(kysely);
      await copyControllers(kysely, rows);
      const last = rows.at(-1);
      if (last === undefined || rows.length < ROWS) return;
      after = Number(last.id);
    }
  },
};

const ROWS = 500;

type Row = {
  readonly id: number;
  readonly uid: string;
  readonly partition_key: string;
  readonly id_key: string;
  readonly doc: string;
};

type Told = {
  readonly spec?: {
    readonly bmc?: {
      readonly type?: string;
      readonly address?: string;
      readonly ipmiAddress?: string;
    };
  };
};

const copyControllers = async (
  kysely: MigrationDb['kysely'],
  rows: readonly Row[],
): Promise<void> => {
  const known = rows.map(({ doc, ...row }) => ({ ...row, bmc: controllerIn(JSON.parse(doc)) }));
  const identifiers = known.flatMap(({ uid, partition_key, bmc }) =>
    identifiersOf({ nics: [], bmc }).map(({ key: identifier }) => ({
      ...{ provider_uid: uid, partition_key, identifier },
      ...{ declared: 1, observed: 0 },
    })),
  );
  const terms = known.flatMap(({ uid, partition_key, id_key, bmc }) => {
    const { controller: term, system } = controllerAddress(bmc.address);
    const row = { provider_uid: uid, kind: 'chassis', term, partition_key, id_key };
    return system === '' ? [] : [row];
  });
  if (identifiers.length > 0) {
    await kysely
      .insertInto('provider_identifier')
      .values(identifiers)
      .onConflict((conflict) => conflict.columns(['partition_key', 'identifier']).doNothing())
      .execute();
  }
  if (terms.length > 0) await kysely.insertInto('provider_term').values(terms).execute();
};

const controllerIn = ({ spec: { bmc = {} } = {} }: Told) => ({
  address: bmc.type === 'BMC_TYPE_NONE' ? '' : (bmc.address ?? ''),
  ipmiAddress: bmc.ipmiAddress ?? '',
});
