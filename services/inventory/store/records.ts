import type { SqlDialect } from '../../store/sql/migration.ts';
import type { InventoryRecords } from '../ports.ts';
import { capabilityRecords, partitionRecords } from './named-records.ts';
import { providerRecords } from './provider-records.ts';
import { locksOf } from './rows.ts';

export const inventoryRecords = (dialect: SqlDialect): InventoryRecords => {
  const locks = locksOf(dialect);
  return {
    partitions: partitionRecords(locks),
    capabilities: capabilityRecords(locks),
    providers: providerRecords(locks),
  };
};
