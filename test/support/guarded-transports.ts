import { createRouterTransport, type Transport } from '@connectrpc/connect';
import type { Clock } from '../../services/runtime/clock.ts';
import { createMetrics } from '../../services/runtime/metrics.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import type { Authenticator } from '../../services/runtime/rpc/authenticator.ts';
import { guardAll } from '../../services/runtime/rpc/guard.ts';
import { inMemoryTransport } from '../../services/runtime/rpc/in-memory.ts';
import { type Peer, peerKey } from '../../services/runtime/rpc/peer.ts';
import { createPipeline, type PipelineLimits } from '../../services/runtime/rpc/pipeline.ts';
import { register } from '../../services/runtime/rpc/register.ts';
import type { Implementation } from '../../services/runtime/service.ts';
import { silentLog } from './silent-log.ts';

/** Ways to a service under test, without sockets but with everything that a listener runs. */
export type GuardedTransports = {
  /** As the people's listener sees a caller with that bearer token; absent = without one. */
  readonly asPerson: (token?: string) => Transport;
  /** As another service of ours. */
  readonly asService: (name: string) => Transport;
};

type Options = {
  readonly implementations: () => readonly Implementation[];
  readonly authenticate: Authenticator;
  readonly clock: Clock;
  readonly limits?: Partial<PipelineLimits>;
};

export const guardedTransports = (options: Options): GuardedTransports => {
  const pipeline = createPipeline({
    clock: options.clock,
    random: systemRandom,
    log: silentLog,
    metrics: createMetrics().rpc,
    authenticate: options.authenticate,
    ...(options.limits && { limits: options.limits }),
  });
  const services = () => guardAll(options.implementations(), pipeline);
  return {
    asService: (caller) => inMemoryTransport({ services, caller }),
    asPerson: (token) =>
      createRouterTransport((router) => register(router, services()), {
        router: {
          interceptors: [
            (next) => (request) => {
              const headers = new Headers(request.header);
              if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
              const peer: Peer = {
                source: { kind: 'people' },
                header: (name) => headers.get(name) ?? undefined,
                address: 'test',
              };
              request.contextValues.set(peerKey, peer);
              return next(request);
            },
          ],
        },
      }),
  };
};
