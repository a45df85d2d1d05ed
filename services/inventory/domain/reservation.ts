/**
 * What takes capacity away is decided by the scheduler's leader before it is written here, and no
 * lock is held while it is asked. So a change first reserves the next generation of its provider,
 * asks for that generation, and is written only while it still holds the reservation: two changes
 * never ask for one generation, and what was asked for and not written is told apart from what was.
 *
 * A reservation ends with its change. One that is left over (the process died in between) ends by
 * itself after RESERVED_MS: the provider gets a generation above everything that was asked for, so
 * that the scheduler goes by what is written here again.
 */
import { aborted, type DomainError, type ErrorKind, isDomainError } from '../../runtime/errors.ts';
import { type ProviderRecord, providerName, type Reservation } from './records.ts';

/** Unless it is renewed, another change may take it over from then on; its own is not written. */
export const RESERVED_MS = 30_000;

/** One step of asking takes no longer. */
export const STEP_MS = 10_000;

/**
 * What is older is renewed before the next step. So however many steps a change takes, none of its
 * reservations is older than this and one step together, well below RESERVED_MS.
 */
export const RENEWED_MS = 10_000;

/** Nothing is under way, and nothing ever was. */
export const neverReserved = (generation: number): Reservation => ({
  generation,
  holder: '',
  sinceMs: 0,
  intent: '',
  finished: '',
});

/** Nothing is under way any more. */
export const unreserved = ({ reserved }: ProviderRecord, generation: number): Reservation => ({
  ...neverReserved(generation),
  finished: reserved.finished,
});

/** The generation of a change: above everything that any change was ever given. */
export const nextGeneration = ({ reserved }: ProviderRecord): number => reserved.generation + 1;

export const isLeftOver = ({ reserved }: ProviderRecord, nowMs: number): boolean =>
  reserved.holder !== '' && nowMs - reserved.sinceMs >= RESERVED_MS;

/**
 * Left over, and without anything that must be written still: a reshape that may be recorded is
 * ended by work/end-reservations.ts only, once the leader has said whether it is.
 */
export const isAbandoned = (record: ProviderRecord, nowMs: number): boolean =>
  isLeftOver(record, nowMs) && record.reserved.intent === '';

/** Errors: aborted BUSY while another change holds the provider. */
export const demandFree = (record: ProviderRecord, holder: string, nowMs: number): void => {
  const { reserved } = record;
  if (reserved.holder === '' || reserved.holder === holder || isAbandoned(record, nowMs)) return;
  throw busy(record);
};

export const busy = (record: ProviderRecord): DomainError => {
  const name = providerName(record);
  return aborted(
    'BUSY',
    `Another change of what ${name} offers is under way; read it again and repeat yours`,
    { metadata: { name }, retryAfterMs: 1_000 },
  );
};

/** A repeat of the same change goes on with the generation that the first try was given. */
export const reserve = (record: ProviderRecord, holder: string, nowMs: number): ProviderRecord => ({
  ...record,
  reserved: {
    ...record.reserved,
    generation:
      record.reserved.holder === holder ? record.reserved.generation : nextGeneration(record),
    holder,
    sinceMs: nowMs,
  },
});

/** The same reservation, from now on. */
export const renewed = (record: ProviderRecord, nowMs: number): ProviderRecord => ({
  ...record,
  reserved: { ...record.reserved, sinceMs: nowMs },
});

/** What the scheduler said yes to: generations by the uid of their provider. */
export type Grant = { readonly holder: string; readonly generations: ReadonlyMap<string, number> };

export const holds = ({ uid, reserved }: ProviderRecord, grant: Grant | undefined): boolean =>
  grant !== undefined &&
  reserved.holder === grant.holder &&
  reserved.generation === grant.generations.get(uid);

/** After anything else it may have been recorded, or may yet be. */
const CERTAIN_NOS: readonly ErrorKind[] = [
  'failed_precondition',
  'invalid_argument',
  'not_found',
  'aborted',
  'resource_exhausted',
  'permission_denied',
];

/** Whether what the leader was asked for is not recorded. */
export const isCertainNo = (error: unknown): boolean =>
  CERTAIN_NOS.some((kind) => isDomainError(error, kind));

/** After a certain no: nothing was recorded for the generation, it is merely not used again. */
export const returned = (record: ProviderRecord): ProviderRecord => ({
  ...record,
  reserved: unreserved(record, record.reserved.generation),
});

/** When something may have been recorded for it: what is written here counts from a newer one. */
export const withdrawn = (record: ProviderRecord): ProviderRecord => {
  const generation = nextGeneration(record);
  return { ...record, generation, reserved: unreserved(record, generation) };
};

/**
 * For a generation that was asked for but not held any more when something may have been recorded
 * for it: a repeat of the same change, refused meanwhile, had returned it. What is written here
 * must not count as older than that record. Undefined: it does not.
 */
export const overtaken = (record: ProviderRecord, asked: number): ProviderRecord | undefined =>
  record.generation < asked ? { ...record, generation: asked } : undefined;
