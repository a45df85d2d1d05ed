import { hash } from 'node:crypto';
import {
  clone,
  type DescField,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type Message,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';

/**
 * Identifies one wanted effect. store.transaction(key, …) inserts the request's row first and
 * stores the answer with the effect, so that a retry answers the same instead of doing it again. T
 * is the RPC's response message.
 */
export type RequestKey<T = unknown> = RequestMark & {
  readonly encodeAnswer: (answer: T) => Uint8Array;
  readonly decodeAnswer: (bytes: Uint8Array) => T;
};

/** What the idempotency stage learns from the request. */
export type RequestMark = {
  /** The request's request_id, lower case. */
  readonly requestId: string;
  /** Full name of the method. */
  readonly method: string;
  /** Principal of the caller (not of the service acting for it). */
  readonly caller: string;
  /**
   * SHA-256 of the request without its request_id: another value under the same id is
   * REQUEST_ID_REUSED.
   */
  readonly argumentHash: Uint8Array;
};

/** The key for a transaction whose work returns the response message of that schema. */
export const requestKey = <D extends DescMessage>(
  mark: RequestMark,
  schema: D,
): RequestKey<MessageShape<D>> => ({
  ...mark,
  encodeAnswer: (answer) => toBinary(schema, answer),
  decodeAnswer: (bytes) => fromBinary(schema, bytes),
});

const requestIdField = (input: DescMessage): DescField | undefined =>
  input.fields.find((field) => field.name === 'request_id' && field.fieldKind === 'scalar');

type Asked = { readonly method: DescMethod; readonly name: string; readonly caller: string };

/** The arguments are hashed when somebody asks: a batch has a hash for each item instead. */
export const requestMark = (asked: Asked, requestId: string, request: Message): RequestMark => {
  let hashed: Uint8Array | undefined;
  return {
    requestId: requestId.toLowerCase(),
    method: asked.name,
    caller: asked.caller,
    get argumentHash() {
      hashed ??= argumentHash(asked.method.input, request);
      return hashed;
    },
  };
};

/** SHA-256 of the deterministic binary form of the request without its request_id. */
export const argumentHash = (input: DescMessage, request: Message): Uint8Array => {
  const field = requestIdField(input);
  const bare = field === undefined ? request : { ...request, [field.localName]: '' };
  return hash('sha256', orderedBytes(input, bare), 'buffer');
};

/** The deterministic binary form. */
export const orderedBytes = (desc: DescMessage, message: Message): Uint8Array =>
  toBinary(desc, inOrder(desc, message));

/**
 * The message with its maps in order. Copied only where that can matter: this runs in every
 * mutation.
 */
const inOrder = (desc: DescMessage, message: Message): Message => {
  if (!holdsMapToSort(desc, message)) return message;
  const copy = reflect(desc, clone(desc, message));
  sortMaps(copy);
  return copy.message;
};

/** Looks at the properties themselves: to reflect costs as much as to encode. */
const holdsMapToSort = (desc: DescMessage, message: object): boolean =>
  fieldsOnTheWayToMaps(desc).some((field) => {
    const value = valueIn(message, field);
    if (typeof value !== 'object' || value === null) return false;
    if (field.fieldKind === 'message') {
      return isStruct(field.message) || holdsMapToSort(field.message, value);
    }
    if (field.fieldKind === 'list') return anyHoldsMapToSort(field.message, value);
    const keys = Object.keys(value);
    if (field.fieldKind !== 'map') return keys.length > 0;
    if (!isInOrder(keys)) return true;
    return (
      keys.length > 0 &&
      field.mapKind === 'message' &&
      fieldsOnTheWayToMaps(field.message).length > 0
    );
  });

/** A large batch would be copied for nothing. */
const anyHoldsMapToSort = (desc: DescMessage | undefined, items: object): boolean =>
  desc !== undefined &&
  (isStruct(desc) || Object.values(items).some((item: object) => holdsMapToSort(desc, item)));

/** The one message that stands there as plain JSON. */
const isStruct = ({ typeName }: DescMessage): boolean => typeName === 'google.protobuf.Struct';

const valueIn = (message: object, { oneof, localName }: DescField): unknown => {
  if (oneof === undefined) return Reflect.get(message, localName);
  const chosen = Reflect.get(message, oneof.localName);
  return chosen?.case === localName ? chosen.value : undefined;
};

/** As our clients send them. */
const isInOrder = (keys: readonly string[]): boolean => {
  let before: string | undefined;
  for (const key of keys) {
    if (before !== undefined && before >= key) return false;
    before = key;
  }
  return true;
};

const fieldsByDesc = new WeakMap<DescMessage, readonly DescField[]>();

/**
 * The fields that are maps or hold messages with maps somewhere below; a type within itself counts
 * as such.
 */
const fieldsOnTheWayToMaps = (desc: DescMessage): readonly DescField[] => {
  const known = fieldsByDesc.get(desc);
  if (known !== undefined) return known;
  fieldsByDesc.set(desc, desc.fields);
  const found = desc.fields.filter(
    (field) =>
      field.fieldKind === 'map' ||
      (field.message !== undefined && fieldsOnTheWayToMaps(field.message).length > 0),
  );
  fieldsByDesc.set(desc, found);
  return found;
};

// Binary form writes a map in insertion order, which is the sender's; a retry may have another.
const sortMaps = (message: ReflectMessage): void => {
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === 'message') sortMaps(message.get(field));
    else if (field.fieldKind === 'list' && field.listKind === 'message') {
      for (const item of message.get(field)) sortMaps(item as ReflectMessage);
    } else if (field.fieldKind === 'map') {
      const entries = [...message.get(field)];
      entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
      const map = message.get(field);
      map.clear();
      for (const [key, value] of entries) {
        if (field.mapKind === 'message') sortMaps(value as ReflectMessage);
        map.set(key, value);
      }
    }
  }
};
