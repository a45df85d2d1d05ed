/**
 * Answers whose bytes are at hand: where many are alike, their parts are encoded once. A mount that
 * sends the binary form takes the bytes as they are; to everybody else it is the message.
 */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';

class EncodedAnswer {
  readonly $typeName: string;
  readonly #bytes: Uint8Array;

  constructor(desc: DescMessage, bytes: Uint8Array) {
    this.$typeName = desc.typeName;
    this.#bytes = bytes;
    let decoded: object | undefined;
    for (const { localName } of desc.members) {
      const get = (): unknown => {
        decoded ??= fromBinary(desc, bytes);
        return Reflect.get(decoded, localName);
      };
      Object.defineProperty(this, localName, { enumerable: true, get });
    }
  }

  static bytesOf(answer: object): Uint8Array | undefined {
    return #bytes in answer ? answer.#bytes : undefined;
  }
}

/** The message of those bytes; it is decoded when somebody looks into it. */
export const encodedAnswer = <D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D> =>
  new EncodedAnswer(desc, bytes) as MessageShape<DescMessage> as MessageShape<D>;

/** undefined = it has yet to be encoded. */
export const bytesOfAnswer: (answer: object) => Uint8Array | undefined = EncodedAnswer.bytesOf;
