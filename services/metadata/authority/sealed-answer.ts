import { createHmac } from 'node:crypto';
import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Random } from '../../runtime/random.ts';
import type { RequestKey } from '../../runtime/request-key.ts';
import type { Sealed } from '../domain/sealed.ts';
import { seal, unseal } from './seal.ts';

export type AnswerSealer = {
  /**
   * The same key, but its stored answer is sealed: an answer that carries a secret lies in the
   * database for a day, for retries, and must not be readable there.
   */
  readonly sealing: <D extends DescMessage>(
    key: RequestKey<MessageShape<D>> | undefined,
  ) => RequestKey<MessageShape<D>> | undefined;
  /**
   * The same key, but of its arguments only what the master key makes of their hash is stored:
   * arguments that hold a short secret could be guessed from the hash itself.
   */
  readonly keying: <D extends DescMessage>(
    key: RequestKey<MessageShape<D>> | undefined,
  ) => RequestKey<MessageShape<D>> | undefined;
};

export const createAnswerSealer = (deps: {
  readonly masterKey: Buffer;
  readonly random: Random;
}): AnswerSealer => ({
  sealing: (key) => {
    if (key === undefined) return undefined;
    const label = `runmachine answer ${key.caller} ${key.requestId}`;
    return {
      ...key,
      encodeAnswer: (answer) =>
        Buffer.from(JSON.stringify(seal(deps, key.encodeAnswer(answer), label))),
      decodeAnswer: (bytes) => key.decodeAnswer(unseal(deps.masterKey, readSealed(bytes), label)),
    };
  },
  keying: (key) =>
    key && {
      ...key,
      argumentHash: createHmac('sha256', deps.masterKey).update(key.argumentHash).digest(),
    },
});

const readSealed = (bytes: Uint8Array): Sealed => JSON.parse(Buffer.from(bytes).toString());
