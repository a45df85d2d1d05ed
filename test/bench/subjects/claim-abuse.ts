/**
 * Callers that ask for what must be refused, over and over and without a pause. Every kind has to
 * end in a refusal that says why; one that is granted, or that only ran into its deadline, ends the
 * bench.
 */
import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { type Client, ConnectError, createClient } from '@connectrpc/connect';
import {
  type ClaimCandidateSchema,
  ClaimService,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { domainErrorOf } from '../../../services/runtime/rpc/error-reading.ts';
import type { Pem } from '../../../services/runtime/tls.ts';
import { WHOLE } from '../../../services/scheduler/domain/claim.ts';
import { type FleetOptions, NODES_PER_RACK, PARTITION, rackId } from '../fleet/fleet.ts';
import type { Spec } from '../fleet/request-mix.ts';
import { quantile } from '../median.ts';
import { serveParent } from '../serve-parent.ts';
import { createWireTransport } from '../wire-transport.ts';

type Connection = {
  readonly pem: Pem;
  readonly address: string;
  readonly fleet: FleetOptions;
  readonly count: number;
};

/** By kind of abuse. */
export type AbuseReport = Readonly<
  Record<string, { readonly count: number; readonly p99Ms: number; readonly reason: string }>
>;

type Abuse = {
  readonly parent?: string;
  readonly spec: Spec;
  /** Absent: the scheduler chooses. */
  readonly candidate?: MessageInitShape<typeof ClaimCandidateSchema>;
};

const HOUR_MS = 3_600_000;
const ok = [{ resourceType: WHOLE, amount: 1n }];
const inMs = (ms: number) => timestampFromMs(systemClock.now().getTime() + ms);
const some = (): string => systemRandom.requestId().slice(0, 8);

/** A new request each time, so that nothing is answered from memory. */
const KINDS: Readonly<Record<string, () => Abuse>> = {
  'a million machines': () => ({ spec: { count: 1_000_000, groups: [{ resources: ok }] } }),
  'ten thousand groups': () => ({
    spec: {
      groups: Array.from({ length: 10_000 }, (_, at) => ({ name: `g${at}`, resources: ok })),
    },
  }),
  'impossible amounts': () => ({
    spec: { groups: [{ resources: [{ resourceType: 'runm.memory', amount: 2n ** 63n }] }] },
  }),
  'unknown resource type': () => ({
    spec: { groups: [{ resources: [{ resourceType: `no.${some()}`, amount: 1n }] }] },
  }),
  'unknown capability': () => ({
    spec: { groups: [{ resources: ok, capabilities: [{ require: [`no.${some()}`] }] }] },
  }),
  'unknown project': () => ({
    parent: `partitions/${PARTITION}/projects/no-${some()}`,
    spec: { groups: [{ resources: ok }] },
  }),
  'unknown partition': () => ({
    parent: `partitions/no-${some()}/projects/team-00`,
    spec: { groups: [{ resources: ok }] },
  }),
  'a window that ends before it begins': () => ({
    spec: {
      acquireTime: inMs(2 * HOUR_MS),
      releaseTime: inMs(HOUR_MS),
      groups: [{ resources: ok }],
    },
  }),
  'a window in the past': () => ({
    spec: { releaseTime: inMs(-HOUR_MS), groups: [{ resources: ok }] },
  }),
  'what nothing has together': () => ({
    spec: {
      groups: [
        { resources: ok, capabilities: [{ require: ['gpu.compute', 'storage.disk.many'] }] },
      ],
    },
  }),
  'a property that is not schedulable': () => ({
    spec: {
      groups: [
        {
          resources: ok,
          properties: {
            requireItems: [
              { key: 'asset.tag', value: { kind: { case: 'stringValue', value: some() } } },
            ],
          },
        },
      ],
    },
  }),
  'unknown group': () => ({
    spec: { groups: [{ resources: ok, providerGroups: { require: [`no-${some()}`] } }] },
  }),
  'a candidate made by hand': () => ({
    spec: { groups: [{ resources: ok }] },
    candidate: {
      allocations: [
        { group: 'main', providerUid: systemRandom.uid(), resourceType: WHOLE, amount: 1n },
      ],
    },
  }),
  'more of a rack than it has': () => ({
    spec: {
      count: NODES_PER_RACK + 1,
      groups: [{ resources: ok, providerGroups: { require: [rackId(0)] }, isolateFrom: ['main'] }],
    },
  }),
  'sixteen groups that exclude each other': () => ({
    spec: { count: 1_000, groups: Array.from({ length: 16 }, (_, at) => exclusive(at)) },
  }),
};

const exclusive = (at: number) => ({
  name: `g${at}`,
  resources: ok,
  providerGroups: { require: [rackId(0)] },
  isolateFrom: Array.from({ length: 16 }, (_, other) => `g${other}`),
});

let connected: { readonly client: Client<typeof ClaimService>; readonly count: number } | undefined;

const connect = ({ pem, address, count }: Connection): void => {
  const transport = createWireTransport({ addresses: [address], pem });
  connected = { client: createClient(ClaimService, transport), count };
};

const CALL_MS = 10_000;

const run = async ({ durationMs }: { readonly durationMs: number }): Promise<AbuseReport> => {
  if (connected === undefined) throw new Error('not connected yet');
  const { client, count } = connected;
  const endMs = performance.now() + durationMs;
  const seen = new Map<string, { reason: string; readonly latencies: number[] }>();
  const abuser = async (_: unknown, number: number) => {
    const kinds = Object.entries(KINDS);
    // Each begins elsewhere, so that a short turn has all kinds.
    const first = Math.floor((number * kinds.length) / count);
    for (let at = first; performance.now() < endMs; at += 1) {
      const [kind, make] = kinds[at % kinds.length] ?? raise('There is nothing to ask for');
      const startMs = performance.now();
      const reason = await refusalOf(client, kind, make());
      const those = seen.get(kind) ?? { reason, latencies: [] };
      seen.set(kind, those);
      those.latencies.push(performance.now() - startMs);
    }
  };
  await Promise.all(Array.from({ length: count }, abuser));
  return Object.fromEntries(
    [...seen].map(([kind, { reason, latencies }]) => [
      kind,
      { reason, count: latencies.length, p99Ms: quantile(latencies, 0.99) },
    ]),
  );
};

const refusalOf = async (
  client: Client<typeof ClaimService>,
  kind: string,
  { parent = `partitions/${PARTITION}/projects/team-00`, spec, candidate }: Abuse,
): Promise<string> => {
  const requestId = systemRandom.requestId();
  const claimId = `abuse-${requestId}`;
  try {
    const request = { parent, claimId, requestId, claim: { spec } };
    const limit = { timeoutMs: CALL_MS };
    if (candidate === undefined) await client.createClaim(request, limit);
    else await client.executeClaim({ ...request, candidate }, limit);
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    const refused = domainErrorOf(error);
    const isClear = refused !== undefined && refused.kind !== 'deadline_exceeded';
    if (isClear && refused.kind !== 'unavailable') return refused.reason;
    throw new Error(`${kind} was not refused clearly`, { cause: error });
  }
  throw new Error(`${kind} was granted`);
};

const raise = (message: string): never => {
  throw new Error(message);
};

serveParent({ connect, run });
