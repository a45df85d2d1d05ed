import { create } from '@bufbuild/protobuf';
import { type Inventory, InventorySchema } from '../../gen/runmachine/inventory/v1/inventory_pb.ts';
import { parseAmount, parseTyped } from './format/amount.ts';
import { UsageError } from './usage-error.ts';

/** Order of the numbers that are given without their name. */
const UNNAMED = ['total', 'reserved', 'ratio'] as const;
const NAMES = ['total', 'reserved', 'ratio', 'min', 'max', 'step'];

/**
 * "runm.memory=64GiB", "runm.memory=64GiB,2GiB,1.5" (total, kept back, ratio), or with names:
 * "runm.memory=64GiB,reserved=2GiB,ratio=1.5,min=1GiB,max=32GiB,step=1GiB".
 */
export const parseInventory = (text: string, what: string): Inventory => {
  const [resourceType, numbers] = parseTyped(text, what);
  const given = new Map<string, string>();
  numbers.split(',').forEach((part, index) => {
    const at = part.indexOf('=');
    const name = at < 0 ? UNNAMED[index] : part.slice(0, at);
    if (name === undefined || !NAMES.includes(name) || given.has(name)) {
      throw new UsageError(
        `${what}: "${part}" in "${text}" is no number of an inventory`,
        `write TYPE=TOTAL[,RESERVED[,RATIO]], or name them: ${NAMES.join(', ')}`,
      );
    }
    given.set(name, part.slice(at + 1));
  });
  const amount = (name: string) =>
    parseAmount(resourceType, given.get(name) ?? '0', `${what} ${name}`);
  return create(InventorySchema, {
    resourceType,
    total: amount('total'),
    reserved: amount('reserved'),
    minUnit: amount('min'),
    maxUnit: amount('max'),
    stepSize: amount('step'),
    allocationRatioMilli: ratioMilli(given.get('ratio') ?? '1', what),
  });
};

const ratioMilli = (text: string, what: string): number => {
  if (!/^\d{1,3}(\.\d{1,3})?$/.test(text) || Number(text) === 0) {
    throw new UsageError(`${what}: ratio "${text}" is not a number above 0, for example 4 or 1.5`);
  }
  return Math.round(Number(text) * 1000);
};
