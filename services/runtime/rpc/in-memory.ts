import { createRouterTransport, type Interceptor, type Transport } from '@connectrpc/connect';
import type { GuardedService } from './guard.ts';
import { type Peer, peerKey } from './peer.ts';
import { register } from './register.ts';

export type InMemoryOptions = {
  /**
   * Services of this process, asked for at the first call: they may need this transport to be made.
   */
  readonly services: () => readonly GuardedService[];
  /** Name of the calling service, for example "machine": its identity at the other side. */
  readonly caller: string;
};

/**
 * Calls between services of one process (embedded mode). Messages are serialised and the whole
 * pipeline runs with the caller's service identity, so that nothing works here that would not work
 * between processes.
 */
export const inMemoryTransport = ({ services, caller }: InMemoryOptions): Transport => {
  let made: Transport | undefined;
  const transport = () => {
    made ??= createRouterTransport((router) => register(router, services()), {
      router: { interceptors: [asPeer(caller)] },
    });
    return made;
  };
  return {
    unary: (...call) => transport().unary(...call),
    stream: (...call) => transport().stream(...call),
  };
};

const asPeer =
  (service: string): Interceptor =>
  (next) =>
  (request) => {
    const peer: Peer = {
      source: { kind: 'in-process', service },
      header: (name) => request.header.get(name) ?? undefined,
      address: 'in-process',
    };
    request.contextValues.set(peerKey, peer);
    return next(request);
  };
