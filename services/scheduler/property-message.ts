import type { PropertyValue } from '../../gen/runmachine/common/v1/property_pb.ts';
import type { Property } from './domain/claim.ts';

/** undefined = of a kind that this program does not know; then nobody can ask for it either. */
export const propertyOf = ({ kind }: PropertyValue): Property | undefined => {
  switch (kind.case) {
    case 'stringValue':
      return { kind: 'string', value: kind.value };
    case 'integerValue':
      return { kind: 'integer', value: String(kind.value) };
    case 'numberValue':
      return { kind: 'number', value: String(kind.value) };
    case 'boolValue':
      return { kind: 'bool', value: kind.value };
    case 'stringList':
      return { kind: 'strings', value: kind.value.values };
    default:
      return undefined;
  }
};

/** Of a request, whose rules demand a value: one of an unknown kind is an empty text. */
export const askedPropertyOf = (value: PropertyValue | undefined): Property =>
  (value && propertyOf(value)) ?? { kind: 'string', value: '' };
