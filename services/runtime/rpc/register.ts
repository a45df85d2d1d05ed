import type { ConnectRouter, MethodImplSpec } from '@connectrpc/connect';
import type { GuardedService } from './guard.ts';

/** Puts guarded services on a Connect router: for people and for calls within the process. */
export const register = (router: ConnectRouter, services: readonly GuardedService[]): void => {
  for (const { methods } of services) for (const spec of methods) registerMethod(router, spec);
};

// One case per kind, because only then do method and implementation have matching types.
const registerMethod = (router: ConnectRouter, spec: MethodImplSpec): ConnectRouter => {
  switch (spec.kind) {
    case 'unary':
      return router.rpc(spec.method, spec.impl);
    case 'client_streaming':
      return router.rpc(spec.method, spec.impl);
    case 'server_streaming':
      return router.rpc(spec.method, spec.impl);
    case 'bidi_streaming':
      return router.rpc(spec.method, spec.impl);
  }
};
