import {
  create,
  type DescField,
  type DescMessage,
  type DescMethod,
  type DescService,
  getOption,
  hasOption,
  type Message,
} from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import {
  type Policy,
  PolicySchema,
  policy as policyOption,
  Scope,
} from '../../../gen/runmachine/common/v1/policy_pb.ts';

/** What the guard knows of a method before any call: worked out once from its descriptor. */
export type MethodFacts = {
  readonly service: DescService;
  readonly method: DescMethod;
  /** "/package.Service/Method" */
  readonly name: string;
  /** Undefined: the RPC is refused. */
  readonly policy: Policy | undefined;
  /**
   * Resource names in a request that say where it acts: name and parent, else <resource>.name, as
   * given, not empty.
   */
  readonly namesIn: (request: Message) => readonly string[];
  /** The request_id of a request; undefined when its message has none. */
  readonly requestIdIn: (request: Message) => string | undefined;
};

// Protocols of others carry no option of ours. Anyone who is somebody may read the contract; a load
// balancer that asks for health is nobody.
const FOREIGN: ReadonlyMap<string, Policy> = new Map([
  ['grpc.health.v1.Health', create(PolicySchema, { scope: Scope.ANONYMOUS })],
  ['grpc.reflection.v1.ServerReflection', create(PolicySchema, { scope: Scope.OWN })],
  ['grpc.reflection.v1alpha.ServerReflection', create(PolicySchema, { scope: Scope.OWN })],
]);

export const factsOf = (service: DescService, method: DescMethod): MethodFacts => ({
  service,
  method,
  name: `/${service.typeName}/${method.name}`,
  policy: hasOption(method, policyOption)
    ? getOption(method, policyOption)
    : FOREIGN.get(service.typeName),
  namesIn: namesReader(method.input),
  requestIdIn: textReader(method.input, 'request_id'),
});

const textField = (message: DescMessage, name: string): DescField | undefined =>
  message.fields.find(
    ({ name: its, fieldKind, oneof }) =>
      its === name && fieldKind === 'scalar' && oneof === undefined,
  );

const textReader = (
  message: DescMessage,
  name: string,
): ((request: Message) => string | undefined) => {
  const field = textField(message, name);
  if (field === undefined) return () => undefined;
  // The property itself: to reflect costs as much as to decode a small request.
  return (request) => {
    const value: unknown = Reflect.get(request, field.localName);
    return typeof value === 'string' ? value : undefined;
  };
};

const namesReader = (input: DescMessage): ((request: Message) => readonly string[]) => {
  const own = ['name', 'parent'].filter((name) => textField(input, name) !== undefined);
  const readers = own.map((name) => textReader(input, name));
  // Beside a parent the resource's own name is output only: what stands there means nothing.
  const fields = own.length > 0 ? [] : input.fields;
  for (const field of fields) {
    if (field.fieldKind !== 'message' || textField(field.message, 'name') === undefined) continue;
    const inner = textReader(field.message, 'name');
    readers.push((request) => {
      const outer = reflect(input, request);
      return outer.isSet(field) ? inner(outer.get(field).message) : undefined;
    });
  }
  return (request) =>
    readers
      .map((read) => read(request))
      .filter((name): name is string => name !== undefined && name !== '');
};
