/** Asks the scheduler's leader what decidedFirst has reserved, and says why it refused. */
import type { CallOptions } from '@connectrpc/connect';
import type { HasValues } from '../../runtime/context.ts';
import { type DomainError, failedPrecondition, isDomainError } from '../../runtime/errors.ts';
import { asService } from '../../runtime/rpc/outgoing.ts';
import { providerName } from '../domain/records.ts';
import type { RpcDeps } from './deps.ts';
import { giveBack } from './give-back.ts';
import type { Asked, Question } from './question.ts';

/** Of one change; the leader commits what is asked together in one transaction or two. */
const PARALLEL = 32;

/** Errors: failed_precondition IN_USE naming who is in the way; unavailable. */
export const ask = async (deps: RpcDeps, context: HasValues, asked: Asked): Promise<void> => {
  const call = asService(context);
  await (asked.intent === undefined
    ? askEach(deps, context, { asked, call })
    : askAtOnce(deps, context, { asked, call }));
};

type Calling = { readonly asked: Asked; readonly call: CallOptions };

type Refusal = { readonly question: Question; readonly error: unknown };

const askEach = async (
  deps: RpcDeps,
  context: HasValues,
  { asked, call }: Calling,
): Promise<void> => {
  const { question, grant } = asked;
  const refusals: Refusal[] = [];
  const waiting = [...question.questions];
  const askNext = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const error = await askOne(deps, { one, asked, call }).catch((thrown: unknown) => thrown);
      if (error !== undefined) refusals.push({ question: one, error });
      // What was not asked yet need not be.
      if (refusals.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, askNext));
  if (refusals.length === 0) return;
  const refused = refusals.filter(({ error }) => isCertainNo(error)).map((one) => one.question);
  const certain = new Set([...refused, ...waiting].map(({ record }) => record.uid));
  await giveBack(deps, context, { grant, certain });
  throw await explained(deps, { refusals, verb: question.verb, call });
};

const askOne = async (
  { capacity }: RpcDeps,
  { one, asked, call }: Calling & { readonly one: Question },
): Promise<void> => {
  const { partition, uid } = one.record;
  const change = { partition, uid, generation: asked.grant.generations.get(uid) ?? 0 };
  if (one.offers === undefined) await capacity.retire(change, call);
  else await capacity.reduce({ ...change, offers: one.offers }, call);
};

const askAtOnce = async (
  deps: RpcDeps,
  context: HasValues,
  { asked: { question, grant, intent }, call }: Calling,
): Promise<void> => {
  if (intent === undefined) return;
  try {
    await deps.capacity.reshape(intent, call);
  } catch (error) {
    // What may have been recorded must be written: that is left to work/end-reservations.ts.
    if (!isCertainNo(error)) throw error;
    await giveBack(deps, context, { grant, certain: new Set(grant.generations.keys()) });
    const refused = refusedPart(question.questions, error) ?? question.questions[0];
    if (refused === undefined) throw error;
    throw await explained(deps, {
      refusals: [{ question: refused, error }],
      verb: question.verb,
      call,
    });
  }
};

const refusedPart = (questions: readonly Question[], error: unknown): Question | undefined =>
  isDomainError(error)
    ? questions.find(({ record }) => record.uid === error.metadata.providerUid)
    : undefined;

/** Anything else may have been recorded, or may yet be. */
export const isCertainNo = (error: unknown): boolean =>
  isDomainError(error, 'failed_precondition') || isDomainError(error, 'invalid_argument');

type Explaining = {
  readonly refusals: readonly Refusal[];
  readonly verb: string;
  readonly call: CallOptions;
};

/** What is in use comes before what could not be asked: it would be in use the next time too. */
const explained = async (
  { capacity }: RpcDeps,
  { refusals, verb, call }: Explaining,
): Promise<unknown> => {
  const inUse = refusals.find(({ error }) => isDomainError(error, 'failed_precondition', 'IN_USE'));
  const { question, error } = inUse ?? refusals[0] ?? {};
  if (question === undefined || !isDomainError(error, 'failed_precondition', 'IN_USE')) {
    return error;
  }
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
