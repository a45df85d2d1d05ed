/**
 * Field masks by descriptor: the one place where Update requests are cut to what they may change.
 */
import { clone, type DescField, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import type { FieldMask } from '@bufbuild/protobuf/wkt';
import { invalidArgument } from './errors.ts';

export type ResourceMask<D extends DescMessage> = {
  /**
   * Throws INVALID_ARGUMENT MASK_INVALID naming the path unless every path is spec.*, properties or
   * tags.
   */
  readonly check: (mask: FieldMask | undefined) => void;
  /**
   * `onto` with the masked fields taken from `from`; a field that is unset there is cleared. Checks
   * first.
   */
  readonly apply: (
    mask: FieldMask | undefined,
    from: MessageShape<D>,
    onto: MessageShape<D>,
  ) => MessageShape<D>;
};

const WHOLE = new Set(['properties', 'tags']);
const PATHS_MAX = 64;

/** The mask of one resource, for example resourceMask(MachineSchema). */
export const resourceMask = <D extends DescMessage>(schema: D): ResourceMask<D> => {
  const check = (mask: FieldMask | undefined): readonly (readonly DescField[])[] => {
    const paths = mask?.paths ?? [];
    if (paths.length === 0) throw refuse('', 'update_mask must name at least one field');
    if (paths.length > PATHS_MAX) {
      throw refuse(
        '',
        `update_mask names ${paths.length} fields; at most ${PATHS_MAX} are allowed`,
      );
    }
    return paths.map((path) => fieldsOf(schema, path));
  };
  return {
    check,
    apply: (mask, from, onto) => {
      const result = clone(schema, onto);
      for (const fields of check(mask)) {
        copyField(reflect(schema, from), reflect(schema, result), fields);
      }
      return result;
    },
  };
};

const fieldsOf = (schema: DescMessage, path: string): readonly DescField[] => {
  const segments = path.split('.');
  const [first = ''] = segments;
  const isAllowed = first === 'spec' ? segments.length > 1 : WHOLE.has(path);
  if (!isAllowed) {
    throw refuse(
      path,
      `update_mask may name fields below "spec", "properties" and "tags", not "${path}"`,
    );
  }
  const fields: DescField[] = [];
  let message: DescMessage | undefined = schema;
  for (const segment of segments) {
    const field: DescField | undefined = message?.fields.find((one) => one.name === segment);
    if (field === undefined) {
      const known = message?.fields.map((one) => one.name).join(', ') ?? 'no fields';
      throw refuse(path, `update_mask path "${path}": "${segment}" is not one of ${known}`);
    }
    fields.push(field);
    message = field.fieldKind === 'message' ? field.message : undefined;
  }
  return fields;
};

const copyField = (
  from: ReflectMessage,
  onto: ReflectMessage,
  [field, ...rest]: readonly DescField[],
): void => {
  if (field === undefined) return;
  if (rest.length > 0 && field.fieldKind === 'message') {
    // Unset on both sides stays unset; unset in `from` clears the leaf.
    if (!from.isSet(field) && !onto.isSet(field)) return;
    const inner = onto.get(field);
    copyField(from.get(field), inner, rest);
    onto.set(field, inner);
  } else if (!from.isSet(field)) onto.clear(field);
  else onto.set(field, from.get(field));
};

const refuse = (path: string, message: string) =>
  invalidArgument('MASK_INVALID', message, {
    metadata: { path },
    violations: [{ field: 'update_mask', description: message }],
  });
