import type { Option } from './command.ts';

const many = (value: string, help: string): Option => ({
  type: 'string',
  multiple: true,
  value,
  help,
});
const one = (value: string, help: string): Option => ({ type: 'string', value, help });

/** What is wanted, how much of it and where. */
export const REQUEST_OPTIONS: Readonly<Record<string, Option>> = {
  cpus: one('N', 'virtual processors; N..M: so many as fit'),
  memory: one('SIZE', 'memory, for example 8GiB or 8GiB..32GiB'),
  disk: one('SIZE', 'block storage'),
  whole: { type: 'boolean', help: 'a whole server' },
  on: {
    ...one('KIND', 'metal: a whole server, as --whole; any or vm: the amounts that are given'),
    choices: ['metal', 'any', 'vm'],
  },
  resource: many('TYPE=AMOUNT', 'an amount of any other resource type'),
  count: one('N', 'how many, all or nothing (1)'),
  require: many('CODE', 'capability that must be there'),
  forbid: many('CODE', 'capability that must not be there'),
  any: many('CODE', 'capabilities of which one must be there'),
  group: many('ID', 'provider group that it must be in'),
  'any-group': many('ID', 'provider groups of which it must be in one'),
  'not-group': many('ID', 'provider group that it must not be in'),
  property: many('KEY[=VALUE]', 'property of the provider; KEY:string=4 says the type'),
  'not-property': many('KEY[=VALUE]', 'property that the provider must not have'),
  tag: many('TEXT', 'tag of the provider'),
  'not-tag': many('TEXT', 'tag that the provider must not have'),
  provider: many('NAME', 'providers of which it must be one'),
  'in-tree': one('NAME', 'provider in whose tree it must be'),
  distance: many('TEXT', 'for example "network<=same-row from group:rack1"'),
  rank: {
    ...one('HOW', 'which come first: pack, spread, closest or random'),
    choices: ['pack', 'spread', 'closest', 'random'],
  },
  'distance-type': one('CODE', 'by which --rank spread and closest measure'),
  near: one('ID', 'provider group to which --rank closest is near'),
  seed: one('TEXT', 'decides between equals: same seed, same answer'),
  spread: one('KIND[:MAX]', 'over racks and the like, at most MAX in each: rack:2'),
  isolate: { type: 'boolean', help: 'each of --count on another provider' },
  'apart-from': many('WHAT', 'share no provider with claim:NAME, machine:NAME or a uid'),
};

/** When. */
export const WINDOW_OPTIONS: Readonly<Record<string, Option>> = {
  from: one('TIME', 'begin, for example "tomorrow 14:00" or "in 2h" (now)'),
  until: one('TIME', 'end'),
  for: one('SPAN', 'how long, for example 4h or 7d'),
};

export const FILE_OPTION: Readonly<Record<string, Option>> = {
  file: { type: 'string', short: 'f', value: 'FILE', help: 'YAML or JSON; - is standard input' },
};

/** Options of every command that asks what a request would get. */
export const ASK_OPTIONS = { ...REQUEST_OPTIONS, ...WINDOW_OPTIONS, ...FILE_OPTION };
