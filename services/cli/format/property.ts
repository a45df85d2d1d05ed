import type { PropertyValue } from '../../../gen/runmachine/common/v1/property_pb.ts';

/** A property's value for people. */
export const propertyText = ({ kind }: PropertyValue): string =>
  kind.case === 'stringList' ? kind.value.values.join(', ') : String(kind.value ?? '');
