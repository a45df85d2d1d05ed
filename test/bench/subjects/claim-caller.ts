/** One caller that asks one thing after the other and says how long each answer took. */
import { type Client, createClient } from '@connectrpc/connect';
import { ClaimService } from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import type { Pem } from '../../../services/runtime/tls.ts';
import { seededRandom } from '../../support/seeded-random.ts';
import { createFleet, type Fleet, type FleetOptions, PARTITION } from '../fleet/fleet.ts';
import { projectOf } from '../fleet/records.ts';
import { spreadOverRacks, together } from '../fleet/request-mix.ts';
import { serveParent } from '../serve-parent.ts';
import { createWireTransport } from '../wire-transport.ts';

type Connection = { readonly pem: Pem; readonly address: string; readonly fleet: FleetOptions };

type Connected = { readonly client: Client<typeof ClaimService>; readonly fleet: Fleet };
let connected: Connected | undefined;

const PARENT = `partitions/${PARTITION}/projects/${projectOf(0)}`;
const CALL_MS = 60_000;

const connect = ({ pem, address, fleet }: Connection): void => {
  const transport = createWireTransport({
    addresses: [address],
    pem,
    defaultTimeoutMs: CALL_MS,
  });
  connected = { client: createClient(ClaimService, transport), fleet: createFleet(options(fleet)) };
};

const options = ({ size, seed }: FleetOptions): FleetOptions => ({ size, seed });

const here = (): Connected => {
  if (connected === undefined) throw new Error('not connected yet');
  return connected;
};

/** Many machines all or nothing, spread over racks, given back in between. */
const spread = async (args: {
  readonly machines: number;
  readonly samples: number;
}): Promise<readonly number[]> => {
  const { client } = here();
  const latencies: number[] = [];
  for (let sample = 0; sample < args.samples; sample += 1) {
    const requestId = systemRandom.requestId();
    const claim = { spec: spreadOverRacks(args.machines) };
    const startMs = performance.now();
    const answer = await client.createClaim({
      parent: PARENT,
      claimId: `s-${requestId}`,
      requestId,
      claim,
    });
    latencies.push(performance.now() - startMs);
    const uids = new Set(answer.claim?.status?.allocations.map(({ providerUid }) => providerUid));
    if (uids.size !== args.machines) throw new Error(`${uids.size} machines were given`);
    await giveBack(client, answer.claim?.name ?? '', uids);
  }
  return latencies;
};

const giveBack = async (
  client: Client<typeof ClaimService>,
  name: string,
  uids: ReadonlySet<string>,
): Promise<void> => {
  await client.beginRelease({ name, requestId: systemRandom.requestId() });
  const finished = [...uids].map((providerUid) =>
    client.finishRelease({ name, providerUid, requestId: systemRandom.requestId() }),
  );
  await Promise.all(finished);
};

const DURATION_S = 4n * 3_600n;

/**
 * When could so many be free for four hours? Asked in turns of the whole fleet, which must have a
 * window, and of one rack, which may be full.
 */
const windows = async (args: {
  readonly machines: number;
  readonly samples: number;
}): Promise<readonly number[]> => {
  const { client, fleet } = here();
  const { fraction } = seededRandom(fleet.seed);
  const latencies: number[] = [];
  for (let sample = 0; sample < args.samples; sample += 1) {
    const rack = sample % 2 === 0 ? undefined : Math.floor(fraction() * fleet.racks);
    const spec = together(args.machines, rack);
    const startMs = performance.now();
    const answer = await client.findWindows({
      parent: PARENT,
      spec,
      duration: { seconds: DURATION_S },
    });
    latencies.push(performance.now() - startMs);
    if (rack === undefined && answer.windows.length === 0)
      throw new Error('There is no window in 90 days');
  }
  return latencies;
};

serveParent({ connect, spread, windows });
