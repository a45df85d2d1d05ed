import {
  type CallOptions,
  Client,
  credentials,
  InterceptingCall,
  type Interceptor,
} from '@grpc/grpc-js';
import { Etcd3, type IOptions } from 'etcd3';
import type { Clock } from '../../../runtime/clock.ts';
import { abortable } from '../waiting.ts';
import { channelOptions, type Tls } from './channel.ts';
import {
  isAnswer,
  needsNewToken,
  TOKEN_EXPIRED,
  TOKEN_REFUSED,
  wasNeverApplied,
} from './failure.ts';

export type User = { readonly name: string; readonly password: string };

type Connection = {
  readonly client: Etcd3;
  /** To the same member over the same connection, for calls whose answers we read ourselves. */
  readonly direct: Client;
};

/** One member of the cluster and the options a call on it must have. */
export type Member = Connection & {
  readonly options: CallOptions;
  /** Of the user; absent where there is none. */
  readonly token?: string;
};
export type Ask<T> = (member: Member) => Promise<T>;

export type Members = {
  /** Asks one member after another until one answers. For calls that may be repeated. */
  readonly ask: <T>(signal: AbortSignal, ask: Ask<T>) => Promise<T>;
  /** Asks the next member only when the one before certainly did nothing. */
  readonly askOnce: <T>(signal: AbortSignal, ask: Ask<T>) => Promise<T>;
  /** The member to open a stream on; its options have no deadline. */
  readonly forStream: (signal: AbortSignal) => Promise<Member>;
  /** Told how a stream on a member broke: the next one is tried first from now on. */
  readonly avoid: (member: Member, error: unknown) => void;
  readonly close: () => void;
};

export type MembersOptions = {
  readonly endpoints: readonly string[];
  readonly tls?: Tls;
  readonly user?: User;
  readonly clock: Clock;
  /** Limit of one call over all members, in milliseconds. */
  readonly callTimeoutMs: number;
};

/**
 * The members of the etcd cluster. Retrying is ours alone: etcd3's global policy sends a call up
 * to three times, also a transaction whose first copy was applied and whose answer was lost, and
 * its circuit breaker refuses for five seconds after etcd is back. Both are switched off.
 */
export const openMembers = (options: MembersOptions): Members => {
  const { endpoints, clock, callTimeoutMs } = options;
  const clients = endpoints.map((endpoint) => connectTo(endpoint, options.tls));
  const session = openSession(options);
  let first = 0;

  const clientAt = (attempt: number): Connection => {
    const client = clients[(first + attempt) % clients.length];
    if (client === undefined) throw new Error('etcd needs at least one endpoint');
    return client;
  };
  const deadlineIn = (ms: number): Date => new Date(clock.now().getTime() + ms);

  /** One call on one member, with a token where there is a user, which is renewed once. */
  const callOn = async <T>(client: Connection, ms: number, ask: Ask<T>): Promise<T> => {
    const deadline = deadlineIn(ms);
    const member = await session.memberFor(client, deadline);
    try {
      return await ask({ ...member, options: { ...member.options, deadline } });
    } catch (error) {
      if (!needsNewToken(error)) throw error;
      session.forget(member.token);
      const renewed = await session.memberFor(client, deadline);
      return ask({ ...renewed, options: { ...renewed.options, deadline } });
    }
  };

  const askInTurn = async <T>(
    signal: AbortSignal,
    ask: Ask<T>,
    mayRepeat: (error: unknown) => boolean,
  ): Promise<T> => {
    const endMs = clock.monotonicMs() + callTimeoutMs;
    for (let attempt = 0; ; attempt += 1) {
      const client = clientAt(0);
      const left = clients.length - attempt;
      const leftMs = Math.max(endMs - clock.monotonicMs(), 1);
      try {
        return await abortable(callOn(client, leftMs / left, ask), signal);
      } catch (error) {
        if (isAnswer(error) || signal.aborted) throw error;
        if (clientAt(0) === client) first += 1;
        if (left <= 1 || !mayRepeat(error)) throw error;
      }
    }
  };

  return {
    ask: (signal, ask) => askInTurn(signal, ask, () => true),
    askOnce: (signal, ask) => askInTurn(signal, ask, wasNeverApplied),
    forStream: async (signal) => {
      const ready = session.memberFor(clientAt(0), deadlineIn(callTimeoutMs));
      const member = await abortable(ready, signal);
      const { interceptors = [] } = member.options;
      return { ...member, options: { interceptors: [...interceptors, withLeader] } };
    },
    avoid: ({ client, token }, error) => {
      if (clientAt(0).client === client) first += 1;
      if (needsNewToken(error)) session.forget(token);
    },
    close: () => {
      for (const { client, direct } of clients) {
        client.close();
        direct.close();
      }
    },
  };
};

/** The token of the user, fetched through our own channels; etcd3's would have no deadline. */
const openSession = ({ user }: MembersOptions) => {
  // Callers that come together share one fetch; `known` is what the last one brought.
  let fetching: Promise<string> | undefined;
  let known: string | undefined;
  const fetchToken = async ({ client }: Connection, deadline: Date, { name, password }: User) => {
    try {
      known = (await client.auth.authenticate({ name, password }, { deadline })).token;
      return known;
    } finally {
      fetching = undefined;
    }
  };
  return {
    memberFor: async (to: Connection, deadline: Date): Promise<Member> => {
      if (user === undefined) return { ...to, options: {} };
      if (known === undefined) fetching ??= fetchToken(to, deadline, user);
      const token = known ?? (await fetching) ?? '';
      return { ...to, options: { interceptors: [withToken(token)] }, token };
    },
    /** Forgets the token, unless another caller has already brought a new one. */
    forget: (token: string | undefined): void => {
      if (known === token) known = undefined;
    },
  };
};

/** Has a member that has lost its cluster end the stream instead of keeping it silent. */
const withLeader: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start: (metadata, listener, next) => {
      metadata.set('hasleader', 'true');
      next(metadata, listener);
    },
  });

/**
 * etcd3 repeats a call whose token is refused, without end and with the same options; so it must
 * not recognise the refusal. `callOn` repeats it once, with a new token.
 */
const withToken =
  (token: string): Interceptor =>
  (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, _listener, next) => {
        metadata.set('token', token);
        next(metadata, {
          onReceiveStatus: (status, pass) =>
            pass({ ...status, details: status.details.replace(TOKEN_REFUSED, TOKEN_EXPIRED) }),
        });
      },
    });

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** A policy that runs the call and does nothing else. */
const withoutPolicy: Policy = {
  get _altReturn(): never {
    throw new Error('exists in the type only');
  },
  onSuccess: () => ({ dispose: () => undefined }),
  onFailure: () => ({ dispose: () => undefined }),
  execute: async (run) => run({ signal: new AbortController().signal }),
};

const connectTo = (endpoint: string, tls: Tls | undefined): Connection => {
  const grpcOptions = channelOptions(endpoint, tls);
  const client = new Etcd3({
    hosts: [endpoint],
    faultHandling: { global: withoutPolicy, host: () => withoutPolicy },
    grpcOptions,
  });
  // The options have the credentials; channels of equal options share their connection.
  const address = endpoint.replace(/^https?:\/\//, '');
  const direct = new Client(address, credentials.createInsecure(), grpcOptions);
  return { client, direct };
};
