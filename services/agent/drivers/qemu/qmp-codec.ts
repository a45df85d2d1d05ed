/**
 * QMP on the wire: one JSON object per line. The server greets, answers each command under its id
 * and sends events in between. https://www.qemu.org/docs/master/interop/qmp-spec.html
 */
import { invalidArgument } from '../../../runtime/errors.ts';

export type QmpEvent = {
  readonly kind: 'event';
  /** In qemu's own spelling: SHUTDOWN, STOP, POWERDOWN. */
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
};

export type QmpMessage =
  | { readonly kind: 'greeting'; readonly version: string }
  | { readonly kind: 'return'; readonly id: number | null; readonly value: unknown }
  | {
      readonly kind: 'error';
      readonly id: number | null;
      readonly errorClass: string;
      readonly description: string;
    }
  | QmpEvent;

export type QmpDecoder = { readonly push: (chunk: Uint8Array) => QmpMessage[] };

/** Throws invalid_argument QMP_MALFORMED for a line that is too long or no QMP message. */
export const createQmpDecoder = (lineBytesMax: number): QmpDecoder => {
  let rest = Buffer.alloc(0);
  return {
    push: (chunk) => {
      const messages: QmpMessage[] = [];
      rest = Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
        const line = rest.toString('utf8', 0, end).trim();
        rest = rest.subarray(end + 1);
        if (line !== '') messages.push(parseMessage(line));
      }
      if (rest.length > lineBytesMax) {
        throw invalidArgument('QMP_MALFORMED', `QMP line longer than ${lineBytesMax} bytes`);
      }
      return messages;
    },
  };
};

export const encodeQmpCommand = (
  id: number,
  command: string,
  commandArguments: Readonly<Record<string, unknown>> | undefined,
): string => {
  const optional = commandArguments === undefined ? {} : { arguments: commandArguments };
  return `${JSON.stringify({ execute: command, ...optional, id })}\n`;
};

/** The object behind `value`, or an empty one. */
export const asRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};

const parseMessage = (line: string): QmpMessage => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch (cause) {
    throw invalidArgument('QMP_MALFORMED', 'QMP line is not JSON', { cause });
  }
  const message = asRecord(parsed);
  const id = typeof message.id === 'number' ? message.id : null;
  if ('QMP' in message) {
    return { kind: 'greeting', version: versionOf(asRecord(message.QMP)) };
  }
  if ('return' in message) return { kind: 'return', id, value: message.return };
  if ('error' in message) {
    const { class: errorClass, desc } = asRecord(message.error);
    return { kind: 'error', id, errorClass: String(errorClass), description: String(desc) };
  }
  if (typeof message.event === 'string') {
    return { kind: 'event', name: message.event, data: asRecord(message.data) };
  }
  throw invalidArgument('QMP_MALFORMED', 'QMP line is neither an answer nor an event');
};

const versionOf = (greeting: Readonly<Record<string, unknown>>): string => {
  const { major, minor, micro } = asRecord(asRecord(greeting.version).qemu);
  return `${major}.${minor}.${micro}`;
};
