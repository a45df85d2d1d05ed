/** Properties whose kind is defined must have it; those that nobody defined may be anything. */
import type { PropertyValue } from '../../../gen/runmachine/common/v1/property_pb.ts';
import type { FieldViolation } from '../../runtime/errors.ts';
import type { RpcDeps } from './deps.ts';

type HasProperties = { readonly properties: { readonly [key: string]: PropertyValue } };

const KIND_OF_CASE: Readonly<Record<string, string>> = {
  stringValue: 'string',
  integerValue: 'integer',
  numberValue: 'number',
  boolValue: 'bool',
  stringList: 'string_list',
};

const NO_KINDS: ReadonlyMap<string, string> = new Map();

/** Asked before the transaction, and only where there are properties. */
export const kindsOf = async (
  { kinds }: RpcDeps,
  objectKind: string,
  given: HasProperties | undefined,
): Promise<ReadonlyMap<string, string>> =>
  Object.keys(given?.properties ?? {}).length === 0 ? NO_KINDS : await kinds.of(objectKind);

export const propertyViolations = (
  { properties }: HasProperties,
  kinds: ReadonlyMap<string, string>,
): readonly FieldViolation[] =>
  Object.entries(properties).flatMap(([key, { kind }]) => {
    const defined = kinds.get(key);
    const given = KIND_OF_CASE[kind.case ?? ''] ?? 'nothing';
    if (defined === undefined || defined === given) return [];
    return [
      {
        field: `properties.${key}`,
        description: `is defined as ${defined}, and ${given} was given`,
      },
    ];
  });
