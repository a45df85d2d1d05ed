/**
 * The fields of an encoded protobuf message one after the other, where they lie: nothing is copied
 * and nothing is made of what is passed over. https://protobuf.dev/programming-guides/encoding/
 */
import { internal } from './errors.ts';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

export class WireFields {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;
  /** Number of the field. */
  field = 0;
  /** Where the whole field begins, its tag included. */
  begin = 0;
  /** Where its content begins and ends: of a text, of bytes or of a message without the length. */
  from = 0;
  to = 0;
  /** Of a varint; beyond 2^53 it is not exact. */
  value = 0;

  constructor(bytes: Buffer, from = 0, to = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  /** Goes to the next field; false after the last. Errors: what is no encoded message. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    this.begin = this.#at;
    const tag = this.#varint();
    this.field = Math.floor(tag / 8);
    this.value = 0;
    const kind = tag % 8;
    this.from = this.#at;
    if (kind === VARINT) this.value = this.#varint();
    else if (kind === BYTES) this.from = this.#varintAsStart();
    else if (kind === FIXED64) this.#at += 8;
    else if (kind === FIXED32) this.#at += 4;
    else throw malformed();
    this.to = this.#at;
    if (this.#at > this.#end) throw malformed();
    return true;
  }

  /** Of a field whose content is a message. */
  inner(): WireFields {
    return new WireFields(this.#bytes, this.from, this.to);
  }

  /** Value of a varint, exact whatever its size. */
  integer(): bigint {
    if (this.value <= Number.MAX_SAFE_INTEGER) return BigInt(this.value);
    let value = 0n;
    for (let at = this.to - 1; at >= this.from; at -= 1) {
      value = value * 128n + BigInt((this.#bytes[at] ?? 0) & 127);
    }
    return value;
  }

  /** Content, not copied. */
  bytes(): Buffer {
    return this.#bytes.subarray(this.from, this.to);
  }

  /** Content as text. */
  text(): string {
    return this.#bytes.toString('utf8', this.from, this.to);
  }

  /** The same without so many of its first bytes. */
  textFrom(bytes: number): string {
    return this.#bytes.toString('utf8', this.from + bytes, this.to);
  }

  /** Content behind its last such byte; all of it where there is none. */
  textBehindLast(byte: number): string {
    return this.#bytes.toString('utf8', this.#behindLast(byte), this.to);
  }

  /** The other part of it, as a key. */
  keyUpToLast(byte: number): string {
    return this.#bytes.toString('latin1', this.from, this.#behindLast(byte));
  }

  /** Bytes of the message as a key: a character each. */
  key(from: number, to: number): string {
    return this.#bytes.toString('latin1', from, to);
  }

  #behindLast(byte: number): number {
    for (let at = this.to; at > this.from; at -= 1) if (this.#bytes[at - 1] === byte) return at;
    return this.from;
  }

  /** Reads a length and goes behind the content, whose begin it gives. */
  #varintAsStart(): number {
    const length = this.#varint();
    const start = this.#at;
    this.#at += length;
    return start;
  }

  #varint(): number {
    const first = this.#bytes[this.#at] ?? 128;
    if (first >= 128) return this.#longVarint();
    // Most are a byte, and a small number is kept in less memory than a sum that might be large.
    this.#at += 1;
    return first;
  }

  #longVarint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined || factor > 2 ** 63) throw malformed();
      this.#at += 1;
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }
}

const malformed = () => internal('INTERNAL', 'A message of another service cannot be decoded');
