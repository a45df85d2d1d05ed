import type { DescEnum } from '@bufbuild/protobuf';

/**
 * "prepare failed" for PREPARE_FAILED; a value that this program does not know is shown by its
 * number.
 */
export const enumWord = (schema: DescEnum, value: number): string => {
  const name = schema.value[value]?.localName;
  if (name === undefined) return `unknown (${value})`;
  return name === 'UNSPECIFIED' ? '-' : name.toLowerCase().replaceAll('_', ' ');
};
