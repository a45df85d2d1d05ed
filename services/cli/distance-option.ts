import { create } from '@bufbuild/protobuf';
import {
  type DistanceConstraint,
  DistanceConstraintSchema,
} from '../../gen/runmachine/scheduler/v1/claim_request_pb.ts';
import type { Context } from './command.ts';
import { holderUid, providerUid } from './object-uids.ts';
import { UsageError } from './usage-error.ts';

const CODE = '[a-z0-9]+(?:[._-][a-z0-9]+)*';
const HOW = 'write it like "network<=same-row from group:rack1"';
const KINDS = ['group', 'provider', 'claim', 'machine', 'consumer', 'request'] as const;
export type DistanceKind = (typeof KINDS)[number];

/** What was typed, before names are looked up. */
export type TypedDistance = {
  readonly type: string;
  readonly minimum: string;
  readonly maximum: string;
  readonly kind: DistanceKind;
  readonly from: string;
};

/**
 * "network<=same-row from group:rack1": at most that far; ">=" at least, "=" exactly, and
 * "failure>=other-rack<=same-site" both.
 */
export const parseDistance = (text: string): TypedDistance => {
  const refuse = (why: string, cure = HOW): never => {
    throw new UsageError(`--distance: "${text}" ${why}`, cure);
  };
  const halves = text.trim().split(/\s+from\s+/);
  const [measure = '', place] = halves;
  if (place === undefined || halves.length > 2) return refuse('does not say from what');
  const head = new RegExp(`^(${CODE})\\s*((?:[<>]?=.*)?)$`).exec(measure);
  if (!head) return refuse('does not begin with a distance type and <=, >= or =');
  if (!head[2]) return refuse('does not say how far', 'give <=STEP, >=STEP or =STEP');
  const limits = limitsOf(head[2]);
  if (limits === undefined) return refuse('has limits that cannot be read');
  const at = place.indexOf(':');
  const typedKind = place.slice(0, Math.max(0, at));
  const kind = KINDS.find((one) => one === typedKind);
  const from = place.slice(at + 1).trim();
  if (kind === undefined || from === '' || /\s/.test(from)) {
    return refuse(`names no place in "${place}"`, `places are ${KINDS.join(':…, ')}:…`);
  }
  return { type: head[1] ?? '', ...limits, kind, from };
};

const limitsOf = (text: string): { minimum: string; maximum: string } | undefined => {
  const found = [...text.matchAll(new RegExp(`([<>]?=)\\s*(${CODE})\\s*`, 'gy'))];
  if (found.map(([whole]) => whole).join('') !== text) return undefined;
  const of = (sign: string) => found.filter(([, one]) => one === sign || one === '=');
  const [least, most] = [of('>='), of('<=')];
  if (least.length > 1 || most.length > 1) return undefined;
  return { minimum: least[0]?.[2] ?? '', maximum: most[0]?.[2] ?? '' };
};

export const distanceConstraint = async (
  context: Context,
  text: string,
): Promise<DistanceConstraint> => {
  const { type, minimum, maximum, kind, from } = parseDistance(text);
  return create(DistanceConstraintSchema, {
    type,
    minimum,
    maximum,
    from: await fromOf(context, kind, from),
  });
};

const fromOf = async (
  context: Context,
  kind: DistanceKind,
  from: string,
): Promise<DistanceConstraint['from']> => {
  switch (kind) {
    case 'group':
      return { case: 'providerGroup', value: from };
    case 'provider':
      return { case: 'provider', value: await providerUid(context, from) };
    case 'request':
      return { case: 'requestGroup', value: from };
    case 'consumer':
      return { case: 'consumer', value: await holderUid(context, from, '--distance') };
    case 'claim':
    case 'machine':
      return { case: 'consumer', value: await holderUid(context, `${kind}:${from}`, '--distance') };
  }
};
