/** Lets people write `kind: rack` where the contract's JSON says GROUP_KIND_RACK. */
import type { DescEnum, DescField, DescMessage, JsonValue } from '@bufbuild/protobuf';

/** The value with the names of the contract; what is not understood stays for its reader. */
export const withFullWords = (message: DescMessage, value: JsonValue): JsonValue => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const fields = Object.entries(value).map(([key, one]): [string, JsonValue] => {
    const field =
      message.field[key] ??
      message.fields.find((other) => [other.name, other.jsonName].includes(key));
    return [key, field === undefined ? one : ofField(field, one)];
  });
  return Object.fromEntries(fields);
};

const ofField = (field: DescField, value: JsonValue): JsonValue => {
  const { enum: words, message } = field;
  const full = (one: JsonValue): JsonValue =>
    words !== undefined
      ? fullWord(words, one)
      : message !== undefined
        ? withFullWords(message, one)
        : one;
  if (field.fieldKind === 'list') return Array.isArray(value) ? value.map(full) : value;
  if (field.fieldKind !== 'map') return full(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, full(one)]));
};

const fullWord = ({ sharedPrefix = '', values }: DescEnum, value: JsonValue): JsonValue => {
  if (typeof value !== 'string') return value;
  const name = `${sharedPrefix}${value.replaceAll(/[- ]/g, '_')}`.toUpperCase();
  return values.some((one) => one.name === name) ? name : value;
};
