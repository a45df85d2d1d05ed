/** The options of a claim as the contract's request. */
import { create } from '@bufbuild/protobuf';
import {
  PropertyConstraintSchema,
  type PropertyItem,
  PropertyItemSchema,
  SetConstraintSchema,
} from '../../gen/runmachine/common/v1/constraint_pb.ts';
import {
  type ClaimSpec,
  ClaimSpecSchema,
  Ranking,
  type RequestGroup,
  RequestGroupSchema,
  type ResourceRequest,
  ResourceRequestSchema,
  type SpreadRule,
  SpreadRuleSchema,
} from '../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import type { Args, Context } from './command.ts';
import { distanceConstraint } from './distance-option.ts';
import { parseAmount, parseTyped } from './format/amount.ts';
import { parseGroupKind } from './format/group-kind.ts';
import { holderUid, providerUid, providerUids } from './object-uids.ts';
import { parseProperty } from './property-options.ts';
import { UsageError } from './usage-error.ts';

/** The name that the server gives to a group without one. */
const MAIN = 'main';

/** The request of the options, without its window. */
export const claimSpec = async (context: Context, args: Args): Promise<ClaimSpec> =>
  create(ClaimSpecSchema, {
    groups: [await requestGroup(context, args)],
    count: count(args.string('count') ?? '1'),
    ...ranking(args),
    seed: args.string('seed') ?? '',
    ...spread(args.string('spread')),
  });

const requestGroup = async (context: Context, args: Args): Promise<RequestGroup> => {
  const inTree = args.string('in-tree');
  const [providerGroups] = set(args, GROUP_OPTIONS);
  const [tags] = set(args, TAG_OPTIONS);
  return create(RequestGroupSchema, {
    name: MAIN,
    resources: resources(args),
    capabilities: set(args, CAPABILITY_OPTIONS),
    ...(providerGroups && { providerGroups }),
    ...(tags && { tags }),
    ...properties(args),
    providers: await providerUids(context, args.strings('provider')),
    distances: await Promise.all(
      args.strings('distance').map((text) => distanceConstraint(context, text)),
    ),
    inTree: inTree === undefined ? '' : await providerUid(context, inTree),
    isolateFrom: args.flag('isolate') ? [MAIN] : [],
    isolateFromConsumers: await Promise.all(
      args.strings('apart-from').map((text) => holderUid(context, text, '--apart-from')),
    ),
  });
};

const CAPABILITY_OPTIONS = { require: 'require', forbid: 'forbid', any: 'any' };
const TAG_OPTIONS = { require: 'tag', forbid: 'not-tag', any: '' };
const GROUP_OPTIONS = { require: 'group', forbid: 'not-group', any: 'any-group' };

const resources = (args: Args): ResourceRequest[] => {
  const built = [
    ['cpus', 'runm.cpu.shared'],
    ['memory', 'runm.memory'],
    ['disk', 'runm.storage.block'],
  ] as const;
  const wanted = [
    ...built.flatMap(([option, type]) => {
      const text = args.string(option);
      return text === undefined ? [] : [resource(type, text, `--${option}`)];
    }),
    ...(isWhole(args) ? [resource('runm.machine.whole', '1', '--whole')] : []),
    ...args.strings('resource').map((text) => {
      const [type, amount] = parseTyped(text, '--resource');
      return resource(type, amount, '--resource');
    }),
  ];
  if (wanted.length > 0) return wanted;
  throw new UsageError(
    'nothing is claimed',
    'give --on metal, --cpus, --memory, --disk or --resource, or a request with -f',
  );
};

const isWhole = (args: Args): boolean => {
  const on = args.string('on');
  if (on !== undefined && !['any', 'metal', 'vm'].includes(on)) {
    throw new UsageError(`--on: "${on}" is unknown`, 'any, metal or vm');
  }
  if (on === 'vm' && args.flag('whole')) {
    throw new UsageError('--on vm and --whole exclude each other');
  }
  return on === 'metal' || args.flag('whole');
};

/** "4", "8GiB", or "8GiB..32GiB": so many as fit, at least and at most that. */
const resource = (resourceType: string, text: string, what: string): ResourceRequest => {
  if (what === '--cpus' && !/^\d{1,6}(\.\.\d{1,6})?$/.test(text)) {
    throw new UsageError(`--cpus: "${text}" is not a whole number`);
  }
  const [least, most] = text.includes('..') ? text.split('..', 2) : [undefined, text];
  const amount = parseAmount(resourceType, most ?? '', what);
  const minAmount = least === undefined ? 0n : parseAmount(resourceType, least, what);
  if (amount === 0n) throw new UsageError(`${what}: the amount is 0`, 'ask for more than nothing');
  if (minAmount > amount) {
    throw new UsageError(`${what}: "${text}" has more at least than at most`);
  }
  return create(ResourceRequestSchema, { resourceType, amount, minAmount });
};

type SetOptions = { readonly require: string; readonly forbid: string; readonly any: string };

/** Nothing where no such option was given: an absent constraint. */
const set = (args: Args, names: SetOptions) => {
  const given = {
    require: [...args.strings(names.require)],
    forbid: [...args.strings(names.forbid)],
    any: [...args.strings(names.any)],
  };
  const isEmpty = Object.values(given).every((one) => one.length === 0);
  return isEmpty ? [] : [create(SetConstraintSchema, given)];
};

const properties = (args: Args) => {
  const [wanted, unwanted] = [args.strings('property'), args.strings('not-property')];
  if (wanted.length + unwanted.length === 0) return {};
  return {
    properties: create(PropertyConstraintSchema, {
      requireItems: items(wanted),
      requireKeys: keys(wanted),
      forbidItems: items(unwanted),
      forbidKeys: keys(unwanted),
    }),
  };
};

const items = (texts: readonly string[]): PropertyItem[] =>
  texts
    .filter((text) => text.includes('='))
    .map((text) => {
      const [key, value] = parseProperty(text);
      return create(PropertyItemSchema, { key, value });
    });

const keys = (texts: readonly string[]): string[] => texts.filter((text) => !text.includes('='));

const count = (text: string): number => {
  if (!/^[1-9]\d{0,2}$|^1000$/.test(text)) {
    throw new UsageError(`--count: "${text}" is not a number from 1 to 1000`);
  }
  return Number(text);
};

const RANKINGS: Readonly<Record<string, Ranking>> = {
  pack: Ranking.PACK,
  spread: Ranking.SPREAD,
  closest: Ranking.CLOSEST,
  random: Ranking.RANDOM,
};

const ranking = (args: Args) => {
  const text = args.string('rank');
  const [rankingDistanceType, nearGroup] = [args.string('distance-type'), args.string('near')];
  const chosen = text ?? (nearGroup === undefined ? undefined : 'closest');
  if (chosen === undefined) {
    if (rankingDistanceType === undefined) return {};
    throw new UsageError('--distance-type without --rank', 'add --rank spread or --rank closest');
  }
  const found = RANKINGS[chosen];
  if (found === undefined) {
    throw new UsageError(`--rank: "${chosen}" is unknown`, 'pack, spread, closest or random');
  }
  if (found === Ranking.CLOSEST && rankingDistanceType === undefined) {
    throw new UsageError(
      'what is closest depends on the distance',
      'add --distance-type CODE; `runm distance-type list` shows them',
    );
  }
  return {
    ranking: found,
    rankingDistanceType: rankingDistanceType ?? '',
    nearGroup: nearGroup ?? '',
  };
};

/** "rack" as evenly as can be, "rack:2" at most two in each. */
const spread = (text: string | undefined): { spread?: SpreadRule } => {
  if (text === undefined) return {};
  const match = /^([a-z]+)(?::(\d{1,3}|1000))?$/i.exec(text);
  if (!match) throw new UsageError(`--spread: "${text}" is not KIND[:MAX]`, 'for example rack:2');
  const groupKind = parseGroupKind(match[1] ?? '', '--spread');
  const maxPerGroup = Number(match[2] ?? 0);
  return { spread: create(SpreadRuleSchema, { groupKind, maxPerGroup }) };
};
