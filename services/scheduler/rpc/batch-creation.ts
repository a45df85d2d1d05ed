/** The items of a batch at the leader, each for itself. */
import type { BatchClaim } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import type { Command, Draft, Origin } from '../domain/command.ts';
import type { Granted, LocalLeader } from '../ports.ts';
import { createBatchItems } from './batch-items.ts';
import type { Content } from './claim-request.ts';
import type { RpcDeps } from './deps.ts';

export type BatchCreation = {
  readonly deps: Pick<RpcDeps, 'catalogue' | 'topologies'>;
  readonly partition: string;
  readonly caller: Omit<Origin, 'argumentHash'>;
  /** A claim of that name, with a uid of its own. */
  readonly draftOf: (claimId: string, content: Content) => Draft;
  readonly leader: Pick<LocalLeader, 'submitAll'>;
  readonly signal: AbortSignal;
};

type Outcome = PromiseSettledResult<Granted>;
type Item = { readonly at: number; readonly command: Command };

/** Outcomes in the order of the items. What asks for the same is given to the leader at once. */
export const createAll = async (
  creation: BatchCreation,
  items: readonly BatchClaim[],
): Promise<readonly Outcome[]> => {
  const { deps, partition, caller, draftOf, signal } = creation;
  const read = createBatchItems(deps, { partition, signal });
  const outcomes: Outcome[] = Array.from(items, () => UNKNOWN);
  const alike = new Map<Promise<void>, Item[]>();
  for (const [at, item] of items.entries()) {
    try {
      const { content, argumentHash, checked } = read(item);
      // A request of its own: known again by its place in the batch and what it says.
      const origin = { ...caller, requestId: `${caller.requestId}/${at}`, argumentHash };
      const draft = draftOf(item.claimId, content);
      const those = alike.get(checked) ?? [];
      alike.set(checked, those);
      those.push({ at, command: { verb: 'create', origin, draft, validateOnly: false } });
    } catch (reason) {
      outcomes[at] = { status: 'rejected', reason };
    }
  }
  await Promise.all(
    [...alike].map(async ([checked, those]) => {
      const its = await submit(creation, checked, those);
      for (const [position, { at }] of those.entries()) outcomes[at] = its(position);
    }),
  );
  return outcomes;
};

const UNKNOWN: Outcome = { status: 'rejected', reason: new Error('The item has no outcome') };

/** Outcomes by the position in the list. */
const submit = async (
  { leader, signal }: BatchCreation,
  checked: Promise<void>,
  items: readonly Item[],
): Promise<(position: number) => Outcome> => {
  try {
    await checked;
  } catch (reason) {
    return () => ({ status: 'rejected', reason });
  }
  const outcomes = await leader.submitAll(
    items.map(({ command }) => command),
    signal,
  );
  return (position) => outcomes[position] ?? UNKNOWN;
};
