import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
} from '@bufbuild/protobuf';
import type { MethodImplSpec, Transport } from '@connectrpc/connect';
import type { GuardedService } from '../../services/runtime/rpc/guard.ts';

/** A service that passes every call on to a transport, so that a stand-in can be mounted. */
export const forwardedService = (service: DescService, transport: Transport): GuardedService => ({
  service,
  // No stand-in takes streams of requests.
  methods: service.methods.flatMap((method) => {
    if (isUnary(method)) return [unary(method, transport)];
    return isServerStreaming(method) ? [serverStreaming(method, transport)] : [];
  }),
});

const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === 'unary';
const isServerStreaming = (method: DescMethod): method is DescMethodServerStreaming =>
  method.methodKind === 'server_streaming';

const unary = (method: DescMethodUnary, transport: Transport): MethodImplSpec => ({
  kind: 'unary',
  method,
  impl: async (request, { signal }) =>
    (await transport.unary(method, signal, undefined, {}, request)).message,
});

const serverStreaming = (
  method: DescMethodServerStreaming,
  transport: Transport,
): MethodImplSpec => ({
  kind: 'server_streaming',
  method,
  impl: async function* (request, { signal }) {
    const only = (async function* () {
      yield request;
    })();
    yield* (await transport.stream(method, signal, undefined, {}, only)).message;
  },
});
