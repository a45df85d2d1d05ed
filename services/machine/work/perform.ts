/**
 * The calls of operations to the scheduler, each with the request id that follows from operation
 * and step.
 */
import { ConnectError } from '@connectrpc/connect';
import { isDomainError } from '../../runtime/errors.ts';
import { derivedRequestId } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import { type ClaimView, choosePlace, holdOwn } from '../domain/claim.ts';
import { isMetal, type Machine } from '../domain/machine.ts';
import { demandProvisionable } from '../domain/never-provision.ts';
import { type Failure, failureOf, type Operation } from '../domain/operation.ts';
import type { Call, CallResult } from '../domain/view.ts';
import type { InventoryPort, SchedulerPort } from '../neighbours-port.ts';
import type { Records } from '../ports.ts';
import { isWorthRepeating, ownClaimName } from './scheduler-client.ts';

export type PerformDeps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly scheduler: SchedulerPort;
  readonly inventory: Pick<InventoryPort, 'findProvider'>;
};

type Asked = { readonly call: Call; readonly operation: Operation; readonly machine: Machine };

/** Never throws for what the other side does: not now is `again`, a refusal is `failed`. */
export const createPerform =
  (deps: PerformDeps) =>
  async (asked: Asked, signal: AbortSignal): Promise<CallResult> => {
    try {
      switch (asked.call) {
        case 'acquire':
          return await acquire(deps, asked, signal);
        case 'begin-release':
          return await beginRelease(deps, asked, signal);
        case 'finish-release':
          return await finishRelease(deps, asked, signal);
        default:
          return asked.call satisfies never;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      return answerOf(error);
    }
  };

const answerOf = (error: unknown): CallResult => {
  if (isDomainError(error)) {
    const { retryAfterMs } = error.extras;
    if (!isWorthRepeating(error.kind)) return { kind: 'failed', failure: failureOf(error) };
    return {
      kind: 'again',
      message: `the scheduler cannot answer now: ${error.message}`,
      ...(retryAfterMs !== undefined && { afterMs: retryAfterMs }),
    };
  }
  // An INTERNAL of the other side: its log names the cause, and it may be mended while we wait.
  if (error instanceof ConnectError) return { kind: 'again', message: error.rawMessage };
  throw error;
};

const acquire = (deps: PerformDeps, asked: Asked, signal: AbortSignal): Promise<CallResult> =>
  asked.machine.spec.claim === '' ? makeOwn(deps, asked, signal) : useGiven(deps, asked, signal);

const makeOwn = async (
  { scheduler, inventory }: PerformDeps,
  { operation, machine }: Asked,
  signal: AbortSignal,
): Promise<CallResult> => {
  const providerName = providerNameOf(machine);
  const provider =
    providerName === undefined ? undefined : await inventory.findProvider(providerName, signal);
  if (providerName !== undefined && provider === undefined) {
    return failed(
      'not_found',
      'NOT_FOUND',
      `The provider "${machine.spec.provider}" does not exist`,
    );
  }
  const answer = await scheduler.claim(
    {
      machine,
      providerUid: provider?.uid ?? '',
      caller: operation.caller,
      requestId: derivedRequestId(operation.uid, 'claim'),
    },
    signal,
  );
  if (answer.kind === 'refused') return { kind: 'failed', failure: answer.failure };
  const { claim } = answer;
  // A claim of an earlier try that was given back in between holds nothing any more.
  if (claim.state === 'releasing' || claim.state === 'released') return ended(claim);
  const holding = holdOwn(claim);
  return holding === undefined
    ? { kind: 'again', message: `the claim ${claim.name} is ${claim.state} and holds nothing yet` }
    : { kind: 'held', holding };
};

const providerNameOf = (machine: Machine): string | undefined => {
  const { provider } = machine.spec;
  if (provider === '') return undefined;
  return provider.includes('/')
    ? provider
    : `partitions/${machine.partition}/providers/${provider}`;
};

const useGiven = async (
  { scheduler, inventory, store, records }: PerformDeps,
  { operation, machine }: Asked,
  signal: AbortSignal,
): Promise<CallResult> => {
  const { claim: given } = machine.spec;
  const parent = `partitions/${machine.partition}/projects/${machine.project}`;
  const name = given.includes('/') ? given : `${parent}/claims/${given}`;
  const claim = await scheduler.findClaim(name, operation.caller, signal);
  if (claim === undefined) {
    return failed('not_found', 'NOT_FOUND', `The claim "${given}" does not exist`);
  }
  const used = await store.read((reader) => records.machines.placesUsed(reader, claim.uid));
  const choice = choosePlace(claim, machine, used);
  if (choice.kind !== 'place') return failed('failed_precondition', 'INVALID_STATE', choice.why);
  const { holding } = choice;
  // It may have been set aside after the claim was placed on it.
  const provider = isMetal(machine) && (await inventory.findProvider(holding.provider, signal));
  if (provider) demandProvisionable(provider);
  return { kind: 'held', holding };
};

const beginRelease = async (
  { scheduler }: PerformDeps,
  { operation, machine }: Asked,
  signal: AbortSignal,
): Promise<CallResult> => {
  const requestId = derivedRequestId(operation.uid, 'release');
  await scheduler.beginRelease(ownNameOf(machine), requestId, signal);
  return { kind: 'released' };
};

const ownNameOf = (machine: Machine): string => machine.holding?.claim ?? ownClaimName(machine);

const finishRelease = async (
  { scheduler }: PerformDeps,
  { operation, machine }: Asked,
  signal: AbortSignal,
): Promise<CallResult> => {
  const name = ownNameOf(machine);
  const claim = await scheduler.findClaim(name, undefined, signal);
  const open = (claim?.places ?? []).filter((place) => !place.finished);
  for (const providerUid of new Set(open.map((place) => place.providerUid))) {
    const requestId = derivedRequestId(operation.uid, `finish ${providerUid}`);
    await scheduler.finishRelease({ name, providerUid, requestId }, signal);
  }
  return { kind: 'released' };
};

const ended = (claim: ClaimView): CallResult =>
  failed(
    'failed_precondition',
    'LEASE_ENDED',
    `The claim ${claim.name} of this machine was released; delete the machine and create it anew`,
  );

const failed = (kind: Failure['kind'], reason: string, message: string): CallResult => ({
  kind: 'failed',
  failure: { kind, reason, message, metadata: {}, removedBy: null },
});
