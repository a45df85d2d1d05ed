/**
 * What metadata defines of properties, as it was a few seconds ago. Best effort: where that cannot
 * be known, every kind is allowed, so that operators can work while metadata is away.
 */
import { enumToJson } from '@bufbuild/protobuf';
import { type Client, createClient, type Transport } from '@connectrpc/connect';
import {
  PropertyKind,
  PropertyKindSchema,
} from '../../../gen/runmachine/identity/v1/definition_pb.ts';
import { DefinitionService } from '../../../gen/runmachine/identity/v1/definition_service_pb.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { PropertyKinds } from '../ports.ts';

const FRESH_MS = 5_000;
const CALL_MS = 1_000;

type Kinds = ReadonlyMap<string, string>;
type Known = { readonly kinds: Kinds; readonly atMs: number };

export const propertyKinds = (transport: Transport, clock: Clock): PropertyKinds => {
  const client = createClient(DefinitionService, transport);
  const known = new Map<string, Known>();
  const asking = new Map<string, Promise<Kinds>>();
  const ask = async (objectKind: string): Promise<Kinds> => {
    const before = known.get(objectKind)?.kinds ?? new Map<string, string>();
    const kinds = await read(client, objectKind).catch(() => before);
    known.set(objectKind, { kinds, atMs: clock.monotonicMs() });
    asking.delete(objectKind);
    return kinds;
  };
  return {
    of: async (objectKind) => {
      const last = known.get(objectKind);
      if (last !== undefined && clock.monotonicMs() - last.atMs < FRESH_MS) return last.kinds;
      const asked = asking.get(objectKind) ?? ask(objectKind);
      asking.set(objectKind, asked);
      return asked;
    },
  };
};

/** "integer" of PROPERTY_KIND_INTEGER. */
const nameOf = (kind: PropertyKind): string =>
  String(enumToJson(PropertyKindSchema, kind)).replace('PROPERTY_KIND_', '').toLowerCase();

const read = async (
  client: Client<typeof DefinitionService>,
  objectKind: string,
): Promise<Kinds> => {
  const request = { name: `definitions/${objectKind}` };
  const { definition } = await client.getDefinition(request, { timeoutMs: CALL_MS });
  const defined = (definition?.spec?.properties ?? []).filter(
    ({ kind }) => kind !== PropertyKind.UNSPECIFIED,
  );
  return new Map(defined.map(({ key, kind }) => [key, nameOf(kind)]));
};
