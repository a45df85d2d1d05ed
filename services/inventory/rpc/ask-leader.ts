/** Asks the scheduler's leader what decidedFirst has reserved, and says why it refused. */
import type { CallOptions } from '@connectrpc/connect';
import type { HasValues } from '../../runtime/context.ts';
import { type DomainError, failedPrecondition, isDomainError } from '../../runtime/errors.ts';
import { asService } from '../../runtime/rpc/outgoing.ts';
import { providerName } from '../domain/records.ts';
import { type Grant, isCertainNo } from '../domain/reservation.ts';
import type { ReshapeIntent } from '../domain/reshape-intent.ts';
import type { RpcDeps } from './deps.ts';
import { giveBack } from './give-back.ts';
import type { Asked, AskFirst, Question } from './question.ts';
import { renewReservations } from './renew-reservations.ts';

/** What the contract lets be recorded in one step. */
const AT_ONCE_MAX = 32;

/** Errors: failed_precondition IN_USE naming who is in the way; unavailable. */
export const ask = async (deps: RpcDeps, context: HasValues, asked: Asked): Promise<void> => {
  const call = asService(context);
  if (asked.intent === undefined) await askAll(deps, context, { asked, call });
  else await askReshape(deps, context, { asked, call, intent: asked.intent });
};

type Calling = { readonly asked: Asked; readonly call: CallOptions };

/**
 * In steps of as many as can be recorded at once, however long all of them take; after a no the
 * rest is not asked for any more.
 * Whether a provider is open is machine's to say: what it may offer changes, and nothing else.
 */
const askAll = async (
  deps: RpcDeps,
  context: HasValues,
  { asked, call }: Calling,
): Promise<void> => {
  const { grant, question } = asked;
  const waiting = [...question.questions];
  let sinceMs = deps.clock.now().getTime();
  while (waiting.length > 0) {
    const step = waiting.splice(0, AT_ONCE_MAX);
    try {
      sinceMs = await renewReservations(deps, context, { grant, sinceMs });
      await deps.capacity.reshape({ ...changeOf(step, grant), moves: [] }, call);
    } catch (error) {
      const refused = isCertainNo(error) ? step : [];
      const certain = new Set([...refused, ...waiting].map(({ record }) => record.uid));
      await giveBack(deps, context, { grant, certain });
      throw await explained(deps, { questions: step, error, verb: question.verb, call });
    }
  }
};

const changeOf = (questions: readonly Question[], { generations }: Grant) => ({
  partition: questions[0]?.record.partition ?? '',
  parts: questions.map(({ record: { uid }, offers }) => ({
    uid,
    generation: generations.get(uid) ?? 0,
    offers: offers ?? [],
  })),
});

const askReshape = async (
  deps: RpcDeps,
  context: HasValues,
  { asked: { question, grant }, intent, call }: Calling & { readonly intent: ReshapeIntent },
): Promise<void> => {
  try {
    await deps.capacity.reshape(intent, call);
  } catch (error) {
    // What may have been recorded must be written: that is left to work/end-reservations.ts.
    if (!isCertainNo(error)) throw error;
    await giveBack(deps, context, { grant, certain: new Set(grant.generations.keys()) });
    throw await explained(deps, { ...question, error, call });
  }
};

type Explaining = Pick<AskFirst, 'questions' | 'verb'> & {
  readonly error: unknown;
  readonly call: CallOptions;
};

const explained = async (
  { capacity }: RpcDeps,
  { questions, verb, error, call }: Explaining,
): Promise<unknown> => {
  if (!isDomainError(error, 'failed_precondition', 'IN_USE')) return error;
  const { providerUid } = error.metadata;
  const question = questions.find(({ record }) => record.uid === providerUid) ?? questions[0];
  if (question === undefined) return error;
  const { record, offers } = question;
  const claims = await capacity.claimsOn(record, call);
  return inUseError({ name: providerName(record), verb, error, claims, offers });
};

type InUse = Pick<Question, 'offers'> & {
  readonly name: string;
  readonly verb: string;
  readonly error: DomainError;
  readonly claims: readonly string[];
};

const inUseError = ({ name, verb, error, claims, offers }: InUse): DomainError => {
  const { resourceType = '', used = '' } = error.metadata;
  const wanted = String(offers?.find((one) => one.resourceType === resourceType)?.usable ?? 0n);
  const holders = claims.length === 0 ? '' : ` (${claims.join(', ')})`;
  const said =
    resourceType === ''
      ? error.message
      : `claims${holders} hold up to ${used} of ${resourceType}, and it would offer ${wanted}`;
  return failedPrecondition('IN_USE', `Cannot ${verb} ${name}: ${said}`, {
    ...error.extras,
    metadata: {
      ...error.metadata,
      name,
      wanted,
      ...(claims.length > 0 && { claims: claims.join(', ') }),
    },
    cause: error,
  });
};
