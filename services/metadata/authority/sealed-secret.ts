import type { Random } from '../../runtime/random.ts';
import type { SealedValues, SecretValues } from '../domain/secret.ts';
import { seal, unseal } from './seal.ts';

/** Of which secret, generation and place values are: they open nowhere else. */
export type SealedPlace = {
  readonly uid: string;
  readonly generation: number;
  readonly place: 'present' | 'staged';
};

export type SecretSealer = {
  readonly seal: (at: SealedPlace, values: SecretValues) => SealedValues;
  /** Errors: failed_precondition MASTER_KEY_WRONG, also for values of another place. */
  readonly open: (at: SealedPlace, values: SealedValues) => SecretValues;
};

export const createSecretSealer = (deps: {
  readonly masterKey: Buffer;
  readonly random: Random;
}): SecretSealer => ({
  seal: (at, values) => ({
    keys: Object.keys(values).toSorted(),
    sealed: seal(deps, Buffer.from(JSON.stringify(values)), labelOf(at)),
  }),
  open: (at, { sealed }) => readValues(unseal(deps.masterKey, sealed, labelOf(at))),
});

const labelOf = ({ uid, generation, place }: SealedPlace): string =>
  `runmachine secret ${uid} ${generation} ${place}`;

const readValues = (bytes: Buffer): SecretValues => JSON.parse(bytes.toString('utf8'));
