import { create } from '@bufbuild/protobuf';
import { type Inventory, InventorySchema } from '../../gen/runmachine/inventory/v1/inventory_pb.ts';
import { type AgentPool, AgentPoolSchema } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { Args, Context, Option } from './command.ts';
import { parseSizeBytes } from './format/size.ts';
import { inPartition } from './resource-names.ts';
import { UsageError } from './usage-error.ts';

export const PROVIDER_OPTIONS: Readonly<Record<string, Option>> = {
  capability: { type: 'string', multiple: true, value: 'CODE', help: 'a capability' },
  group: {
    type: 'string',
    multiple: true,
    value: 'ID',
    help: 'a group: site, row, rack, power feed',
  },
  inventory: {
    type: 'string',
    multiple: true,
    value: 'TYPE=TOTAL[,RESERVED[,RATIO]]',
    help: 'what it offers, for example runm.memory=64GiB,2GiB or runm.cpu.shared=16,0,4',
  },
  agent: {
    type: 'string',
    multiple: true,
    value: 'ROLE=ID',
    help: 'an agent that serves it, for example vm=host1',
  },
};

export const parseInventories = (args: Args): Inventory[] =>
  args.strings('inventory').map((text) => {
    const match = /^([a-z0-9._-]+)=([^,]+)(?:,([^,]+))?(?:,(\d+(?:\.\d{1,3})?))?$/.exec(text);
    if (!match) throw new UsageError(`--inventory: "${text}" is not TYPE=TOTAL[,RESERVED[,RATIO]]`);
    return create(InventorySchema, {
      resourceType: match[1] ?? '',
      total: parseSizeBytes(match[2] ?? '', '--inventory'),
      reserved: match[3] === undefined ? 0n : parseSizeBytes(match[3], '--inventory'),
      allocationRatioMilli: Math.round(Number(match[4] ?? 1) * 1000),
    });
  });

export const parsePools = (context: Context, args: Args): AgentPool[] => {
  const pools = new Map<string, string[]>();
  for (const text of args.strings('agent')) {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`--agent: "${text}" is not ROLE=ID`, 'for example vm=host1');
    const role = text.slice(0, at);
    const agent = inPartition(context.settings, 'agents', text.slice(at + 1));
    pools.set(role, [...(pools.get(role) ?? []), agent]);
  }
  return [...pools].map(([role, agents]) => create(AgentPoolSchema, { role, agents }));
};
