import test from 'ava';
import type { WatchClaimsResponse } from '../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { claimRequest, RED, startScheduler } from './scheduler-fixture.ts';

type Watching = {
  readonly seen: () => string[];
  readonly token: () => string;
  readonly stop: () => Promise<void>;
  readonly failed: Promise<unknown>;
};

const follow = (open: (signal: AbortSignal) => AsyncIterable<WatchClaimsResponse>): Watching => {
  const stopping = new AbortController();
  const seen: string[] = [];
  let token = '';
  const run = async (): Promise<unknown> => {
    try {
      for await (const { events, resumeToken } of open(stopping.signal)) {
        if (resumeToken !== '') token = resumeToken;
        for (const { event } of events) {
          const named =
            event.case === 'created' || event.case === 'updated' || event.case === 'deleted';
          seen.push(
            named ? `${event.case} ${event.value.name.split('/').at(-1)}` : `${event.case}`,
          );
        }
      }
      return undefined;
    } catch (error) {
      return error;
    }
  };
  const failed = run();
  return {
    seen: () => seen.filter((event) => event !== 'bookmark'),
    token: () => token,
    stop: async () => {
      stopping.abort();
      await failed;
    },
    failed,
  };
};

test('a watch shows the present set, then changes, and only what its caller may see', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const claims = node.claims('red');
  await claims.createClaim(claimRequest('one'));
  const watching = follow((signal) =>
    claims.watchClaims({ parent: 'partitions/lab/projects/-' }, { signal }),
  );
  await eventually(() => watching.seen().includes('synced'));
  await node
    .claims('blue')
    .createClaim(claimRequest('theirs', { parent: 'partitions/lab/projects/blue' }));
  await claims.createClaim(claimRequest('two'));
  const requestId = systemRandom.requestId();
  await claims.beginRelease({ name: `${RED}/claims/one`, requestId });
  await eventually(() => watching.seen().length === 4, { message: 'four events' });
  t.deepEqual(watching.seen(), ['created one', 'synced', 'created two', 'updated one']);
  await watching.stop();
});

test('a watch goes on from its token, without a gap, also at another replica', async (t) => {
  const { node, nodes, addHost } = await startScheduler(t, { replicas: 2 });
  await addHost({ id: 'host-1' });
  const claims = node.claims('red');
  await claims.createClaim(claimRequest('one'));
  const first = follow((signal) => claims.watchClaims({ parent: RED }, { signal }));
  await eventually(() => first.seen().includes('synced'));
  await first.stop();
  await claims.createClaim(claimRequest('two'));
  for (const other of nodes) {
    const resumed = follow((signal) =>
      other.claims('red').watchClaims({ parent: RED, resumeToken: first.token() }, { signal }),
    );
    await eventually(() => resumed.seen().length > 0, { message: 'the missed change' });
    t.deepEqual(resumed.seen(), ['updated two']);
    await resumed.stop();
  }
});

test('a resumed watch hears nothing of the claims of other projects', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const claims = node.claims('red');
  const first = follow((signal) => claims.watchClaims({ parent: RED }, { signal }));
  await eventually(() => first.seen().includes('synced'));
  await first.stop();
  const blue = { parent: 'partitions/lab/projects/blue' };
  await node.claims('blue').createClaim(claimRequest('theirs', blue));
  await claims.createClaim(claimRequest('two'));
  for (const token of ['red', 'admin']) {
    const resumed = follow((signal) =>
      node.claims(token).watchClaims({ parent: RED, resumeToken: first.token() }, { signal }),
    );
    await eventually(() => resumed.seen().includes('updated two'), { message: 'its own claim' });
    t.deepEqual(resumed.seen(), ['updated two']);
    await resumed.stop();
  }
});

test('an idle watch gets bookmarks whose token is newer', async (t) => {
  const { node, addHost } = await startScheduler(t);
  await addHost({ id: 'host-1' });
  const watching = follow((signal) => node.claims('red').watchClaims({ parent: RED }, { signal }));
  await eventually(() => watching.token() !== '');
  const before = watching.token();
  await node
    .claims('blue')
    .createClaim(claimRequest('theirs', { parent: 'partitions/lab/projects/blue' }));
  await eventually(() => watching.token() !== before, { message: 'a newer token' });
  t.deepEqual(watching.seen(), ['synced']);
  await watching.stop();
});

test('a foreign, broken or too old token starts the watch over', async (t) => {
  const { node, addHost } = await startScheduler(t, { config: { changesMax: 3 } });
  await addHost({ id: 'host-1', cpus: 64 });
  const claims = node.claims('red');
  const first = follow((signal) => claims.watchClaims({ parent: RED }, { signal }));
  await eventually(() => first.token() !== '');
  const old = first.token();
  await first.stop();
  for (let at = 0; at < 8; at += 1) await claims.createClaim(claimRequest(`c${at}`));
  const future = Buffer.from(JSON.stringify([1, 'test', 1, '999999'])).toString('base64url');
  const foreign = Buffer.from(JSON.stringify([1, 'other', 1, '1'])).toString('base64url');
  for (const resumeToken of [old, 'broken!', foreign, future]) {
    const watching = follow((signal) =>
      claims.watchClaims({ parent: RED, resumeToken }, { signal }),
    );
    const failing = watching.failed.then((error) => Promise.reject(error));
    await refused(t, failing, { kind: 'out_of_range', reason: 'RESUME_TOKEN_EXPIRED' });
  }
});
