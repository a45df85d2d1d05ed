import { create } from '@bufbuild/protobuf';
import type { Distance } from '../../gen/runmachine/inventory/v1/distance_pb.ts';
import type { Inventory } from '../../gen/runmachine/inventory/v1/inventory_pb.ts';
import { type AgentPool, AgentPoolSchema } from '../../gen/runmachine/inventory/v1/provider_pb.ts';
import type { Args, Context, Option } from './command.ts';
import { DISTANCE_OPTION, parseDistanceTo } from './distance-to.ts';
import { parseInventory } from './inventory-text.ts';
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
  distance: DISTANCE_OPTION,
  'never-provision': {
    type: 'string',
    value: 'yes|no',
    help: 'yes: nobody gets it, and nothing disturbs what runs on it',
  },
  parent: { type: 'string', value: 'NAME', help: 'provider of which it is a part' },
  agent: {
    type: 'string',
    multiple: true,
    value: 'ROLE=ID',
    help: 'an agent that serves it, for example vm=host1',
  },
};

export const parseInventories = (args: Args): Inventory[] =>
  args.strings('inventory').map((text) => parseInventory(text, '--inventory'));

export const parseDistances = (args: Args): Distance[] =>
  args.strings('distance').map(parseDistanceTo);

/** Undefined: not said. */
export const parseNeverProvision = (args: Args): boolean | undefined => {
  const typed = args.string('never-provision');
  if (typed === undefined) return undefined;
  if (typed === 'yes' || typed === 'no') return typed === 'yes';
  throw new UsageError(`--never-provision: "${typed}" is neither yes nor no`);
};

/** Name of the provider of which it is a part; "none": it is a root. Undefined: not said. */
export const parseParent = (context: Context, args: Args): string | undefined => {
  const typed = args.string('parent');
  if (typed === undefined || typed === 'none') return typed && '';
  return inPartition(context.settings, 'providers', typed);
};

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
