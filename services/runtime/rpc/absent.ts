import type { DescService } from '@bufbuild/protobuf';
import { createServiceImplSpec, type MethodImplSpec } from '@connectrpc/connect';
import { unavailable } from '../errors.ts';
import type { Implementation } from '../service.ts';

/**
 * A service that does not run in this process: the contract is the same in every configuration, so
 * each method answers UNAVAILABLE SERVICE_UNAVAILABLE and names it.
 */
export const absent = (service: DescService): Implementation => {
  const refuse = (): never => {
    throw unavailable('SERVICE_UNAVAILABLE', `${service.typeName} does not run in this process`, {
      metadata: { service: service.typeName },
    });
  };
  const { methods } = createServiceImplSpec(service, {});
  const refusing = Object.entries(methods).map(([name, spec]) => [name, refuseBy(spec, refuse)]);
  return { service, spec: { service, methods: Object.fromEntries(refusing) } };
};

// One case per kind, because only then do method and implementation have matching types.
const refuseBy = (spec: MethodImplSpec, impl: () => never): MethodImplSpec => {
  switch (spec.kind) {
    case 'unary':
      return { ...spec, impl };
    case 'client_streaming':
      return { ...spec, impl };
    case 'server_streaming':
      return { ...spec, impl };
    case 'bidi_streaming':
      return { ...spec, impl };
  }
};
