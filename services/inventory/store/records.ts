import type { SqlDialect } from '../../store/sql/migration.ts';
import type { InventoryRecords } from '../ports.ts';
import { discoveryRecords } from './discovery-records.ts';
import { groupRecords } from './group-records.ts';
import {
  capabilityRecords,
  distanceTypeRecords,
  partitionRecords,
  resourceTypeRecords,
} from './named-records.ts';
import { providerRecords } from './provider-records.ts';
import { locksOf } from './rows.ts';

export const inventoryRecords = (dialect: SqlDialect): InventoryRecords => {
  const locks = locksOf(dialect);
  return {
    partitions: partitionRecords(locks),
    capabilities: capabilityRecords(locks),
    resourceTypes: resourceTypeRecords(locks),
    distanceTypes: distanceTypeRecords(locks),
    groups: groupRecords(locks),
    providers: providerRecords(locks),
    discoveries: discoveryRecords(locks),
  };
};
