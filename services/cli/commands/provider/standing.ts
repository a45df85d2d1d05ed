/** Where providers stand and who holds them until when: what an operator asks of a rack first. */
import { timestampDate, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import {
  ProviderLifeState,
  ProviderLifeStateSchema,
  type ProviderState,
} from '../../../../gen/runmachine/machine/v1/provider_state_pb.ts';
import { ProviderStateService } from '../../../../gen/runmachine/machine/v1/provider_state_service_pb.ts';
import {
  type ClaimAllocation,
  ClaimService,
} from '../../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { callOptions } from '../../call-options.ts';
import type { Context } from '../../command.ts';
import { enumWord } from '../../format/enum-word.ts';
import { formatLocalTime } from '../../format/span.ts';
import { allPages } from '../../pages.ts';
import { lastSegment, partitionParent } from '../../resource-names.ts';

export type Standing = {
  readonly state: (uid: string) => string;
  /** "red/bench-1", or how many they are. Empty: nobody, or nobody of whom the caller may know. */
  readonly heldBy: (uid: string) => string;
  /** When the last of them ends. */
  readonly until: (uid: string) => string;
  readonly holds: (uid: string) => readonly ClaimAllocation[];
};

/** Of one provider, or of those of a group, or of all. */
export type Asked = {
  readonly providerUid?: string;
  readonly providerGroup?: string;
  /** Also what is booked for later. */
  readonly isLaterToo?: boolean;
};

/** What the caller may not see, or what cannot be asked now, is left empty. */
export const readStanding = async (
  context: Context,
  states: Promise<readonly ProviderState[]>,
  asked: Asked,
): Promise<Standing> => {
  const [known, held] = await Promise.all([
    orNothing(context, 'where providers stand', states),
    orNothing(context, 'who holds them', allocations(context, asked)),
  ]);
  const byUid = new Map(known.map((one) => [one.providerUid, one]));
  const holdsOf = Map.groupBy(held, ({ allocation }) => allocation?.providerUid ?? '');
  const holds = (uid: string) => holdsOf.get(uid) ?? [];
  return {
    holds,
    state: (uid) => {
      const found = byUid.get(uid);
      return found === undefined ? '' : stateWord(found);
    },
    heldBy: (uid) => holdersText(holds(uid)),
    until: (uid) => untilText(holds(uid)),
  };
};

export const stateWord = ({ state, useUnknown }: ProviderState): string => {
  const isEither = useUnknown && state === ProviderLifeState.AVAILABLE;
  const lives = isEither ? [state, ProviderLifeState.IN_USE] : [state];
  return lives.map((life) => enumWord(ProviderLifeStateSchema, life)).join(' or ');
};

/** All of the partition. */
export const allStates = (context: Context): Promise<ProviderState[]> => {
  const client = createClient(ProviderStateService, context.transport());
  const parent = partitionParent(context.settings);
  return allPages(async (pageToken) => {
    const request = { parent, pageSize: 200, pageToken };
    const answer = await client.listProviderStates(request, callOptions(context));
    return { rows: answer.providerStates, nextPageToken: answer.nextPageToken };
  });
};

export const stateOf = async (context: Context, name: string): Promise<ProviderState[]> => {
  const client = createClient(ProviderStateService, context.transport());
  const request = { name: `${name}/state` };
  const { providerState } = await client.getProviderState(request, callOptions(context));
  return providerState === undefined ? [] : [providerState];
};

/** What is held now. */
const allocations = async (
  context: Context,
  { isLaterToo = false, ...asked }: Asked,
): Promise<ClaimAllocation[]> => {
  const client = createClient(ClaimService, context.transport());
  const parent = `${partitionParent(context.settings)}/projects/-`;
  const now = context.clock.now().getTime();
  const window = {
    from: timestampFromMs(now),
    ...(!isLaterToo && { until: timestampFromMs(now + 1) }),
  };
  const rows = await allPages(async (pageToken) => {
    const request = { parent, ...asked, ...window, pageSize: 1000, pageToken };
    const answer = await client.listAllocations(request, callOptions(context));
    return { rows: answer.allocations, nextPageToken: answer.nextPageToken };
  });
  return rows.filter(({ allocation }) => allocation?.finishTime === undefined);
};

const orNothing = async <Row>(
  { output }: Context,
  what: string,
  read: Promise<readonly Row[]>,
): Promise<readonly Row[]> => {
  try {
    return await read;
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    if (error.code === Code.Unauthenticated || error.code === Code.Canceled) throw error;
    const isHidden = error.code === Code.NotFound || error.code === Code.PermissionDenied;
    if (!isHidden) output.remark(`${what} is not known: ${error.rawMessage}`);
    return [];
  }
};

/** A machine, or else its claim, with the project that has it. */
export const holderText = ({ claim, consumer }: ClaimAllocation): string => {
  const name = lastSegment(consumer?.name ?? '') || lastSegment(claim);
  return `${claim.split('/')[3] ?? ''}/${name}`;
};

const holdersText = (holds: readonly ClaimAllocation[]): string => {
  const holders = [...new Set(holds.map(holderText))];
  return holders.length > 1 ? `${holders.length} claims` : (holders[0] ?? '');
};

export const endText = ({ releaseTime }: ClaimAllocation): string =>
  releaseTime === undefined ? 'for ever' : formatLocalTime(releaseTime);

const untilText = (holds: readonly ClaimAllocation[]): string => {
  const endMs = ({ releaseTime }: ClaimAllocation): number =>
    releaseTime === undefined ? Number.POSITIVE_INFINITY : timestampDate(releaseTime).getTime();
  const last = holds.toSorted((a, b) => endMs(b) - endMs(a))[0];
  return last === undefined ? '' : endText(last);
};
