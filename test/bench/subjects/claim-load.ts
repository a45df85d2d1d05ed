/**
 * Claimers in a process of their own: each holds a few claims and goes round: makes one, then gives
 * its oldest back (begin, then finish for its provider). Every call is an RPC over mTLS.
 */

import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Client, ConnectError, createClient } from '@connectrpc/connect';
import type { Claim } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { domainErrorOf } from '../../../services/runtime/rpc/error-reading.ts';
import type { Pem } from '../../../services/runtime/tls.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { createFleet, type Fleet, type FleetOptions, PARTITION } from '../fleet/fleet.ts';
import { projectOf } from '../fleet/records.ts';
import { drawSpec } from '../fleet/request-mix.ts';
import { serveParent } from '../serve-parent.ts';
import { createWireTransport } from '../wire-transport.ts';

export type Connection = {
  readonly pem: Pem;
  readonly addresses: readonly string[];
  readonly fleet: FleetOptions;
  /** Number of the first claimer here, and how many there are. */
  readonly first: number;
  readonly count: number;
};

export type LoadReport = {
  readonly elapsedMs: number;
  /** Of every call that was answered with yes, by verb, in milliseconds. */
  readonly latencies: Readonly<Record<Verb, readonly number[]>>;
  /** Answers that were no claim, by reason. */
  readonly refusals: Readonly<Record<string, number>>;
};
export type Verb = 'create' | 'begin' | 'finish';

type Claimer = {
  readonly number: number;
  readonly draw: () => number;
  readonly held: Claim[];
  made: number;
};

type Connected = {
  readonly client: Client<typeof ClaimService>;
  readonly fleet: Fleet;
  readonly claimers: readonly Claimer[];
};
let connected: Connected | undefined;

const DAY_MS = 24 * 3_600_000;

const connect = (options: Connection): void => {
  const { pem, addresses, first, count } = options;
  const transport = createWireTransport({ addresses, pem });
  const claimers = Array.from({ length: count }, (_, at) => ({
    number: first + at,
    draw: seededRandom(options.fleet.seed + first + at).fraction,
    held: [],
    made: 0,
  }));
  connected = {
    client: createClient(ClaimService, transport),
    fleet: createFleet(options.fleet),
    claimers,
  };
};

const FIRST_CALL_MS = 1_000;
const PAUSE_MS = 20;

/**
 * Tries until a claim is made, and gives it back; answers when it was made, as wall time. Any other
 * refusal than that the scheduler is not there yet is an error.
 */
const firstClaim = async ({ limitMs }: { readonly limitMs: number }): Promise<number> => {
  const turn = newTurn();
  const [claimer] = turn.claimers;
  if (claimer === undefined) throw new Error('There is no claimer here');
  const endMs = performance.now() + limitMs;
  for (;;) {
    try {
      const answer = await turn.client.createClaim(nextRequest(turn, claimer), {
        timeoutMs: FIRST_CALL_MS,
      });
      const madeMs = performance.timeOrigin + performance.now();
      if (answer.claim !== undefined) await giveBack(turn, claimer, answer.claim);
      return madeMs;
    } catch (error) {
      const kind = domainErrorOf(error)?.kind;
      const isEarly = kind === 'unavailable' || kind === 'deadline_exceeded';
      if (!isEarly || performance.now() > endMs) throw error;
    }
    await systemClock.sleep(PAUSE_MS);
  }
};

type Tally = {
  readonly latencies: Record<Verb, number[]>;
  readonly refusals: Record<string, number>;
};
type Turn = Connected & { readonly tally: Tally };

const newTurn = (): Turn => {
  if (connected === undefined) throw new Error('not connected yet');
  const latencies = { create: [], begin: [], finish: [] };
  return { ...connected, tally: { latencies, refusals: {} } };
};

/** Each claimer makes its first claims. */
const fill = async ({ each }: { readonly each: number }): Promise<LoadReport> => {
  const turn = newTurn();
  return timed(turn, async (claimer) => {
    for (let made = 0; made < each; made += 1) await create(turn, claimer);
  });
};

/** Goes round for that long. */
const run = async ({ durationMs }: { readonly durationMs: number }): Promise<LoadReport> => {
  const turn = newTurn();
  const endMs = performance.now() + durationMs;
  return timed(turn, async (claimer) => {
    while (performance.now() < endMs) {
      await create(turn, claimer);
      const oldest = claimer.held.shift();
      if (oldest !== undefined) await giveBack(turn, claimer, oldest);
    }
  });
};

const timed = async (
  turn: Turn,
  work: (claimer: Claimer) => Promise<void>,
): Promise<LoadReport> => {
  const startMs = performance.now();
  await Promise.all(turn.claimers.map(work));
  return { elapsedMs: performance.now() - startMs, ...turn.tally };
};

const create = async (turn: Turn, claimer: Claimer): Promise<void> => {
  const request = nextRequest(turn, claimer);
  const answer = await measured(turn, 'create', () => turn.client.createClaim(request));
  if (answer?.claim !== undefined) claimer.held.push(answer.claim);
};

const nextRequest = ({ fleet }: Turn, claimer: Claimer) => {
  claimer.made += 1;
  const spec = {
    ...drawSpec(fleet, claimer.draw),
    releaseTime: timestampFromMs(
      systemClock.now().getTime() + Math.round((1 + 29 * claimer.draw()) * DAY_MS),
    ),
  };
  return {
    parent: `partitions/${PARTITION}/projects/${projectOf(claimer.number)}`,
    claimId: `c-${process.pid}-${claimer.number}-${claimer.made}`,
    requestId: systemRandom.requestId(),
    claim: { spec },
  };
};

const giveBack = async (turn: Turn, claimer: Claimer, claim: Claim): Promise<void> => {
  const { client } = turn;
  const { name } = claim;
  const begin = { name, requestId: systemRandom.requestId() };
  if ((await measured(turn, 'begin', () => client.beginRelease(begin))) === undefined) {
    claimer.held.push(claim);
    return;
  }
  const providers = new Set(claim.status?.allocations.map(({ providerUid }) => providerUid));
  for (const providerUid of providers) {
    const finish = { name, providerUid, requestId: systemRandom.requestId() };
    await measured(turn, 'finish', () => client.finishRelease(finish));
  }
};

/** The answer, and how long it took; undefined for a refusal, which is counted by its reason. */
const measured = async <T>(
  { tally }: Turn,
  verb: Verb,
  call: () => Promise<T>,
): Promise<T | undefined> => {
  const startMs = performance.now();
  try {
    const answer = await call();
    tally.latencies[verb].push(performance.now() - startMs);
    return answer;
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    const reason = `${verb} ${domainErrorOf(error)?.reason ?? error.message}`;
    tally.refusals[reason] = (tally.refusals[reason] ?? 0) + 1;
    return undefined;
  }
};

serveParent({ connect, firstClaim, fill, run });
