/** Callers that make claims 64 at a time and keep them; each waits for its answer. */
import { createClient } from '@connectrpc/connect';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import type { Pem } from '../../../services/runtime/tls.ts';
import { PARTITION } from '../fleet/fleet.ts';
import { projectOf } from '../fleet/records.ts';
import { slice } from '../fleet/request-mix.ts';
import { serveParent } from '../serve-parent.ts';
import { createWireTransport } from '../wire-transport.ts';

export const BATCH = 64;

type Connection = { readonly pem: Pem; readonly address: string };

export type BatchReport = {
  readonly claims: number;
  readonly elapsedMs: number;
  readonly latencies: readonly number[];
};

let makeBatch: (number: number) => Promise<void> = () => Promise.reject(new Error('not connected'));

const connect = ({ pem, address }: Connection): void => {
  const transport = createWireTransport({ addresses: [address], pem });
  const client = createClient(ClaimService, transport);
  makeBatch = async (number) => {
    const requestId = systemRandom.requestId();
    const claims = Array.from({ length: BATCH }, (_, at) => ({
      claimId: `b-${requestId}-${at}`,
      // Slices: whole servers would be used up after a second.
      claim: { spec: slice(1, 1) },
    }));
    const parent = `partitions/${PARTITION}/projects/${projectOf(number)}`;
    const { results } = await client.batchCreateClaims({ parent, claims, requestId });
    const refused = results.find(({ result }) => result.case !== 'claim');
    if (refused !== undefined) throw new Error(`an item was refused: ${JSON.stringify(refused)}`);
  };
};

type Run = { readonly callers: number; readonly durationMs: number };

const run = async ({ callers, durationMs }: Run): Promise<BatchReport> => {
  const latencies: number[] = [];
  const startMs = performance.now();
  const caller = async (_: unknown, number: number) => {
    while (performance.now() - startMs < durationMs) {
      const sentMs = performance.now();
      await makeBatch(number);
      latencies.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const elapsedMs = performance.now() - startMs;
  return { claims: latencies.length * BATCH, elapsedMs, latencies };
};

serveParent({ connect, run });
