/**
 * Wraps the pipeline around a service, so that a mount has only to decode and encode. Written as
 * four small wrappers, because a unary call must not pay for streams.
 */
import type { DescService, Message } from '@bufbuild/protobuf';
import type { HandlerContext, MethodImplSpec } from '@connectrpc/connect';
import { bothWays, handRest, type Take } from '../hand-rest.ts';
import type { Implementation, RequestReaders } from '../service.ts';
import { abortable, within } from './abortable.ts';
import type { CallState } from './call-state.ts';
import { mapError } from './error-mapping.ts';
import { factsOf, type MethodFacts } from './method-facts.ts';
import type { Outcome } from './observe.ts';
import type { Pipeline } from './pipeline.ts';
import { assertAccessWasRead } from './stages/policy.ts';
import { unreadable } from './unreadable.ts';

/** A service ready to be mounted: each method runs the whole pipeline. */
export type GuardedService = {
  readonly service: DescService;
  readonly methods: readonly MethodImplSpec[];
  readonly readers?: RequestReaders;
};

/**
 * One service with the pipeline around it; `implementation` comes from `implement` in service.ts.
 */
export const guard = (
  { service, spec, readers }: Implementation,
  pipeline: Pipeline,
): GuardedService => ({
  service,
  ...(readers !== undefined && { readers }),
  methods: Object.values(spec.methods).map((method) =>
    guardMethod(factsOf(service, method.method), method, pipeline),
  ),
});

export const guardAll = (
  implementations: readonly Implementation[],
  pipeline: Pipeline,
): readonly GuardedService[] => implementations.map((one) => guard(one, pipeline));

type Impl<K extends MethodImplSpec['kind']> = Extract<MethodImplSpec, { kind: K }>['impl'];

const guardMethod = (
  facts: MethodFacts,
  spec: MethodImplSpec,
  pipeline: Pipeline,
): MethodImplSpec => {
  const guarded: Guarded = { facts, pipeline };
  switch (spec.kind) {
    case 'unary':
      return { ...spec, impl: guardUnary(guarded, spec.impl) };
    case 'client_streaming':
      return { ...spec, impl: guardClientStreaming(guarded, spec.impl) };
    case 'server_streaming':
      return { ...spec, impl: guardServerStreaming(guarded, spec.impl) };
    case 'bidi_streaming':
      return { ...spec, impl: guardBidiStreaming(guarded, spec.impl) };
  }
};

const guardUnary =
  (guarded: Guarded, impl: Impl<'unary'>): Impl<'unary'> =>
  (request, context) =>
    answer(guarded, context, async (call) => {
      await admit(guarded.pipeline, call);
      accept(guarded.pipeline, call, request, true);
      return settle(call, impl(request, call.context));
    });

const guardClientStreaming =
  (guarded: Guarded, impl: Impl<'client_streaming'>): Impl<'client_streaming'> =>
  (requests, context) =>
    answer(guarded, context, async (call) => {
      await admit(guarded.pipeline, call);
      guarded.pipeline.rechecks.add(call);
      return settle(call, impl(incoming(guarded.pipeline, call, requests), call.context));
    });

const guardServerStreaming =
  (guarded: Guarded, impl: Impl<'server_streaming'>): Impl<'server_streaming'> =>
  (request, context) =>
    stream(guarded, context, async (call) => {
      await admit(guarded.pipeline, call);
      accept(guarded.pipeline, call, request, true);
      guarded.pipeline.rechecks.add(call);
      return impl(request, call.context);
    });

const guardBidiStreaming =
  (guarded: Guarded, impl: Impl<'bidi_streaming'>): Impl<'bidi_streaming'> =>
  (requests, context) =>
    stream(guarded, context, async (call) => {
      await admit(guarded.pipeline, call);
      guarded.pipeline.rechecks.add(call);
      return impl(incoming(guarded.pipeline, call, requests), call.context);
    });

type Guarded = { readonly facts: MethodFacts; readonly pipeline: Pipeline };

/** One answer: unary and client streaming. */
const answer = async <T>(
  { facts, pipeline }: Guarded,
  context: HandlerContext,
  serve: (call: CallState) => Promise<T>,
): Promise<T> => {
  const call = pipeline.open(facts, context);
  try {
    const result = await serve(call);
    assertAccessWasRead(call);
    end(pipeline, call, { kind: 'ok' });
    return result;
  } catch (thrown) {
    throw fail(pipeline, call, thrown);
  }
};

type Serve<T> = (call: CallState) => Promise<AsyncIterable<T>>;

/** Many answers: server streaming and bidi. */
const stream = <T>(guarded: Guarded, context: HandlerContext, serve: Serve<T>): AsyncIterable<T> =>
  bothWays(
    () => asked(guarded, context, serve),
    (take) => handed(guarded, { context, serve, take }),
  );

type Handed<T> = {
  readonly context: HandlerContext;
  readonly serve: Serve<T>;
  readonly take: Take<T>;
};

const handed = async <T>({ facts, pipeline }: Guarded, handing: Handed<T>): Promise<void> => {
  const call = pipeline.open(facts, handing.context);
  try {
    const answers = abortable(await handing.serve(call), call.signal);
    await handRest(answers[Symbol.asyncIterator](), handing.take);
    assertAccessWasRead(call);
    end(pipeline, call, { kind: 'ok' });
  } catch (thrown) {
    // Ends the handler also where it is who takes the answers that failed.
    call.abort(thrown);
    throw fail(pipeline, call, thrown);
  }
};

/** A consumer that goes away is neither success nor failure. */
async function* asked<T>(
  { facts, pipeline }: Guarded,
  context: HandlerContext,
  serve: Serve<T>,
): AsyncGenerator<T> {
  const call = pipeline.open(facts, context);
  let ended = false;
  let isHandingOver = false;
  // A consumer within this process that goes away may never ask again nor return: the call would
  // stay open for ever where it hands over its last message.
  const onAbort = () => {
    if (!isHandingOver || ended) return;
    ended = true;
    end(pipeline, call, { kind: 'abandoned' });
  };
  call.signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const message of abortable(await serve(call), call.signal)) {
      isHandingOver = true;
      yield message;
      isHandingOver = false;
    }
    assertAccessWasRead(call);
    ended = true;
    end(pipeline, call, { kind: 'ok' });
  } catch (thrown) {
    if (ended) throw mapError(call.signal.reason, pipeline.random.uid).error;
    ended = true;
    throw fail(pipeline, call, thrown);
  } finally {
    if (!ended) {
      call.abort(new Error('The consumer of the stream went away'));
      end(pipeline, call, { kind: 'abandoned' });
    }
  }
}

const settle = <T>(call: CallState, result: Promise<T> | T): Promise<T> | T =>
  result instanceof Promise ? within(result, call.signal) : result;

const admit = async (pipeline: Pipeline, call: CallState): Promise<void> => {
  for (const stage of pipeline.stages) {
    const pending = stage.begin?.(call);
    if (pending !== undefined) await within(pending, call.signal);
    if (call.signal.aborted) throw call.signal.reason;
  }
};

const accept = (pipeline: Pipeline, call: CallState, request: Message, isFirst: boolean): void => {
  for (const stage of pipeline.stages) stage.request?.(call, request, isFirst);
};

const incoming = <T extends Message>(
  pipeline: Pipeline,
  call: CallState,
  requests: AsyncIterable<T>,
): AsyncIterable<T> => {
  let isFirst = true;
  const look = (request: T) => {
    try {
      accept(pipeline, call, request, isFirst);
    } catch (thrown) {
      // Ends the call even where the handler would swallow the error of its input.
      call.abort(thrown);
      throw thrown;
    }
    isFirst = false;
  };
  return abortable(requests, call.signal, { look, name: (error) => unreadable(error) ?? error });
};

const end = (pipeline: Pipeline, call: CallState, outcome: Outcome): void => {
  pipeline.closed(call);
  pipeline.observe(call, outcome, pipeline.clock.monotonicMs() - call.startedMs);
};

const fail = (pipeline: Pipeline, call: CallState, thrown: unknown): Error => {
  // Whatever a handler throws because it was told to stop, the caller gets the cause of the stop.
  const cause = call.signal.aborted ? call.signal.reason : thrown;
  const mapped = mapError(cause, pipeline.random.uid);
  end(pipeline, call, { kind: 'error', mapped, thrown: cause });
  return mapped.error;
};
