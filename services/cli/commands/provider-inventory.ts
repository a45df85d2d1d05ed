import { Code, ConnectError, createClient } from '@connectrpc/connect';
import {
  type Inventory,
  InventorySchema,
} from '../../../gen/runmachine/inventory/v1/inventory_pb.ts';
import type { Provider } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import { ProviderService } from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import {
  CapacityService,
  type ProviderUsage,
} from '../../../gen/runmachine/scheduler/v1/capacity_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Command, Context } from '../command.ts';
import { formatAmount } from '../format/amount.ts';
import { formatTable } from '../format/table.ts';
import { parseInventory } from '../inventory-text.ts';
import { showMany } from '../output.ts';
import { lastSegment, partitionParent } from '../resource-names.ts';
import { UsageError } from '../usage-error.ts';
import { providerNoun } from './provider.ts';

const NAME = [{ name: 'name', help: 'name or uid of the provider' }];

const clientOf = (context: Context) => createClient(ProviderService, context.transport());

const readProvider = async (context: Context, typed: string): Promise<Provider> => {
  const name = providerNoun.fullName(context, typed);
  const { provider } = await clientOf(context).getProvider({ name }, callOptions(context));
  if (!provider) throw new Error('the answer holds no provider');
  return provider;
};

export const list: Command = {
  summary: 'list what a provider offers and what is used of it now',
  positionals: NAME,
  run: async (context, args) => {
    const provider = await readProvider(context, args.positional('name'));
    await showInventories(context, provider, await readUsage(context, provider.uid));
    return undefined;
  },
};

/** Undefined where the scheduler cannot be asked: what is offered is shown all the same. */
const readUsage = async (context: Context, uid: string): Promise<ProviderUsage | undefined> => {
  const client = createClient(CapacityService, context.transport());
  const request = { parent: partitionParent(context.settings), providerUid: uid };
  try {
    return (await client.listUsage(request, callOptions(context))).usages[0];
  } catch (error) {
    const silent = [Code.PermissionDenied, Code.Unavailable];
    if (!(error instanceof ConnectError) || !silent.includes(error.code)) throw error;
    context.output.remark(`what is used is not known: ${error.rawMessage}`);
    return undefined;
  }
};

const showInventories = async (
  context: Context,
  provider: Provider,
  usage?: ProviderUsage,
): Promise<void> => {
  const rows = provider.spec?.inventories ?? [];
  const shown = { schema: InventorySchema, name: (one: Inventory) => one.resourceType };
  const columns = [...COLUMNS, ...(usage ? useColumns(usage) : [])];
  await showMany(context.output, shown, { rows, people: () => formatTable(columns, rows) });
  if (usage?.closed && context.output.mode === 'table') {
    context.output.remark(`${lastSegment(provider.name)} is closed to new claims`);
  }
};

const amountOf = (pick: (one: Inventory) => bigint) => (one: Inventory) =>
  formatAmount(one.resourceType, pick(one));

const COLUMNS = [
  { title: 'RESOURCE', value: (one: Inventory) => one.resourceType },
  { title: 'TOTAL', value: amountOf((one) => one.total) },
  { title: 'RESERVED', value: amountOf((one) => one.reserved) },
  { title: 'RATIO', value: (one: Inventory) => String((one.allocationRatioMilli || 1000) / 1000) },
  { title: 'MIN', value: amountOf((one) => one.minUnit || 1n) },
  { title: 'MAX', value: amountOf((one) => one.maxUnit || one.total) },
  { title: 'STEP', value: amountOf((one) => one.stepSize || 1n) },
];

const useColumns = (usage: ProviderUsage) => {
  const of = (one: Inventory) =>
    usage.resources.find(({ resourceType }) => resourceType === one.resourceType);
  return [
    { title: 'USED', value: amountOf((one) => of(one)?.used ?? 0n) },
    { title: 'FREE', value: amountOf((one) => freeOf(of(one))) },
  ];
};

const freeOf = (use: { readonly usable: bigint; readonly used: bigint } | undefined): bigint =>
  use && use.usable > use.used ? use.usable - use.used : 0n;

export const set: Command = {
  summary: 'change amounts that a provider offers; types that are not named stay',
  positionals: NAME,
  rest: {
    name: 'amount',
    help: 'TYPE=TOTAL[,RESERVED[,RATIO]], or named: reserved=, ratio=, min=, max=, step=',
    optional: true,
  },
  options: {
    remove: { type: 'string', multiple: true, value: 'TYPE', help: 'no longer offer a type' },
  },
  examples: ['runm provider inventory set host1 runm.memory=64GiB,reserved=2GiB,step=1GiB'],
  run: async (context, args) => {
    const given = args.rest.map((text) => parseInventory(text, 'AMOUNT'));
    const removed = args.strings('remove');
    if (given.length + removed.length === 0) {
      throw new UsageError('nothing to change', 'give amounts such as runm.memory=64GiB');
    }
    const { name, etag, spec } = await readProvider(context, args.positional('name'));
    const present = spec?.inventories ?? [];
    const unknown = removed.find((type) => !present.some((one) => one.resourceType === type));
    if (unknown !== undefined) {
      throw new UsageError(`${lastSegment(name)} does not offer ${unknown}`);
    }
    const gone = new Set([...removed, ...given.map((one) => one.resourceType)]);
    const inventories = [...present.filter((one) => !gone.has(one.resourceType)), ...given];
    const { provider } = await clientOf(context).updateProvider(
      {
        provider: { name, etag, spec: { ...(spec && { type: spec.type }), inventories } },
        updateMask: { paths: ['spec.inventories'] },
        requestId: context.random.requestId(),
      },
      callOptions(context),
    );
    if (provider) await showInventories(context, provider);
    return undefined;
  },
};
