/** From a candidate of the contract, which anybody may have made, to placements. */
import type { ClaimCandidate } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { keyOf, type Placement } from '../domain/claim.ts';
import type { Candidate, Draft } from '../domain/command.ts';
import { invalidField } from './claim-request.ts';

type Spec = Draft['spec'];
type Allocations = ClaimCandidate['allocations'];
type Allocation = Allocations[number];

/** What one provider gives to one group at one index. */
type Part = {
  readonly group: number;
  readonly index: number;
  readonly provider: number;
  /** Amounts by position of the resource. */
  readonly given: Map<number, number>;
};

/**
 * Whether it answers the request is judged where it is decided. Errors: invalid_argument
 * INVALID_FIELD for an allocation of something that the request does not have.
 */
export const candidateOf = (spec: Spec, candidate: ClaimCandidate | undefined): Candidate => {
  const providers: string[] = [];
  const numbers = new Map<string, number>();
  const parts = new Map<string, Part>();
  for (const [at, allocation] of (candidate?.allocations ?? []).entries()) {
    const field = `candidate.allocations[${at}]`;
    const uid = keyOf(allocation.providerUid);
    const provider = numbers.get(uid) ?? providers.length;
    if (!numbers.has(uid)) {
      numbers.set(uid, provider);
      providers.push(uid);
    }
    const { group, position } = placeOf(spec, allocation, field);
    const key = `${group}/${allocation.index}/${provider}`;
    const part = parts.get(key) ?? {
      group,
      index: allocation.index,
      provider,
      given: new Map<number, number>(),
    };
    if (part.given.has(position)) throw invalidField(field, 'stands twice');
    part.given.set(position, Number(allocation.amount));
    parts.set(key, part);
  }
  const placements = [...parts.values()].map((part) => placementOf(spec, part));
  placements.sort((a, b) => a.group - b.group || a.index - b.index || a.provider - b.provider);
  return { providers, placements };
};

const placeOf = ({ groups, count }: Spec, allocation: Allocation, field: string) => {
  const { group: name, index, resourceType } = allocation;
  const group = groups.findIndex((one) => one.name === name);
  if (group < 0) throw invalidField(`${field}.group`, `"${name}" is no group of the claim`);
  if (index >= count) throw invalidField(`${field}.index`, `must be below ${count}`);
  const resources = groups[group]?.resources ?? [];
  const position = resources.findIndex((one) => one.resourceType === resourceType);
  if (position >= 0) return { group, position };
  throw invalidField(`${field}.resource_type`, `"${resourceType}" is not wanted by "${name}"`);
};

/** What is as it was asked for is not said again. */
const placementOf = ({ groups }: Spec, { group, index, provider, given }: Part): Placement => {
  const asked = groups[group]?.resources ?? [];
  const positions = [...given.keys()].sort((a, b) => a - b);
  const amounts = positions.map((position) => given.get(position) ?? 0);
  const isAll = positions.length === asked.length;
  const isAsAsked = positions.every((position, at) => asked[position]?.amount === amounts[at]);
  return {
    group,
    index,
    provider,
    ...(!isAll && { resources: positions }),
    ...(!isAsAsked && { amounts }),
  };
};
