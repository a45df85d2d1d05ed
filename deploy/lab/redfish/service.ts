import type { Clock } from '../../../services/runtime/clock.ts';
import { isDomainError } from '../../../services/runtime/errors.ts';
import type { Random } from '../../../services/runtime/random.ts';
import type { LabAccount, LabServer } from '../server-port.ts';
import { allowedBy, etagOf, type LabContext, type Need, writeOf } from './context.ts';
import { createEvents } from './events/events.ts';
import type { SubscriptionStore } from './events/subscription-store.ts';
import { taskEvent } from './events/watch.ts';
import { createGuard, type Guard, type GuardOptions } from './guard.ts';
import { type LabReply, type LabRequest, refuse } from './message.ts';
import { patchKnownPart } from './partial-patch.ts';
import type { Personality } from './personality.ts';
import { answerWith } from './query.ts';
import { BIOS } from './resources/bios.ts';
import { streamReply } from './resources/event-service.ts';
import { ENTRIES } from './resources/log-services.ts';
import { SYSTEM, TASKS } from './resources/paths.ts';
import { monitorIdIn, monitorReply } from './resources/task-service.ts';
import { drivePath } from './resources/virtual-media.ts';
import { type Routed, routeAt } from './routes.ts';
import { createTasks } from './tasks.ts';

/**
 * One Redfish service (DSP0266) over one virtual server, without a socket: a request in, an answer
 * out. Holds sessions and tasks; all else is the server's.
 */
export type RedfishService = {
  readonly answer: (request: LabRequest) => Promise<LabReply>;
  readonly guard: Guard;
  /** Sends no event any more. */
  readonly close: () => void;
};

export type RedfishServiceOptions = {
  readonly server: LabServer;
  readonly clock: Clock;
  readonly random: Random;
  readonly personality?: Personality;
  /** Without one a restart forgets who subscribed to events. */
  readonly subscriptions?: SubscriptionStore;
  /** Address of the controller; 127.0.0.1 where absent. */
  readonly host?: string;
} & Pick<GuardOptions, 'sessionTimeoutSeconds' | 'sessionsMax'>;

export const createRedfishService = (options: RedfishServiceOptions): RedfishService => {
  const { server, clock, random, personality = {}, host = '127.0.0.1' } = options;
  const guard = createGuard(options);
  const places = { system: SYSTEM, bios: BIOS, tasks: TASKS, logEntries: ENTRIES };
  const drive = drivePath(personality);
  const events = createEvents({
    ...{ server, clock, places: { ...places, drive }, store: options.subscriptions },
  });
  const tasks = createTasks(clock, (task) => events.tell(taskEvent(task, TASKS, clock.now())));
  const context: LabContext = { server, clock, random, personality, guard, events, tasks, host };
  return {
    guard,
    close: events.close,
    answer: (request) =>
      answerIn(context, toCollection(request)).catch((error) => replyOfError(error)),
  };
};

/** Members are made by a POST to the collection or to its Members (DSP0266, POST). */
const toCollection = (request: LabRequest): LabRequest =>
  request.method === 'POST'
    ? { ...request, path: request.path.replace(/\/Members$/, '') }
    : request;

/** A server that is off takes no reset; whatever else goes wrong is the controller's own. */
const replyOfError = (error: unknown): LabReply =>
  isDomainError(error, 'failed_precondition', 'SERVER_OFF')
    ? refuse(409, 'ResourceInStandby', { detail: `${error.message}.` })
    : refuse(500, 'InternalError');

const answerIn = async (context: LabContext, request: LabRequest): Promise<LabReply> => {
  // Of another version of OData nobody here knows anything (DSP0266, OData-Version header).
  const { 'odata-version': version = '4.0' } = request.headers;
  if (version !== '4.0')
    return refuse(412, 'PreconditionFailed', { detail: 'OData-Version: 4.0.' });
  const who = context.guard.who(request);
  const account = who.kind === 'user' ? who.account : undefined;
  const routed = routeAt(request.path);
  const monitor = monitorIdIn(request.path);
  const isOpen =
    routed?.route.isPublic === true ||
    (request.method === 'POST' && routed?.route.need === 'nobody');
  if (account === undefined && !isOpen) return signInFirst;
  if (monitor !== undefined) return monitorReply(context, monitor) ?? missing(request);
  const stream = streamReply(context, request);
  if (stream !== undefined) return stream;
  const { partialSystem } = context.personality;
  if (partialSystem !== undefined && request.path.endsWith(`/Systems/${partialSystem}`)) {
    return refuse(503, 'ServiceTemporarilyUnavailable');
  }
  if (routed === undefined) return missing(request);
  if (request.method === 'GET' || request.method === 'HEAD') {
    return answerWith(context, request, routed);
  }
  return write(context, { request, routed, account });
};

const signInFirst: LabReply = refuse(401, 'NoValidSession', {
  headers: { 'www-authenticate': 'Basic realm="Redfish"' },
});

const missing = ({ path }: LabRequest): LabReply =>
  refuse(404, 'ResourceMissingAtURI', { detail: `It is ${path}.` });

type Writing = {
  readonly request: LabRequest;
  readonly routed: Routed;
  readonly account: LabAccount | undefined;
};

const write = async (context: LabContext, { request, routed, account }: Writing) => {
  const { route, found } = routed;
  if (route.get !== undefined && route.get(context, found) === undefined) return missing(request);
  const verb = writeOf(route, request.method, context);
  if (verb === undefined) {
    return refuse(405, 'ActionNotSupported', { headers: { allow: allowedBy(route, context) } });
  }
  const isOwn = route.need === 'self' && account !== undefined;
  if (!isOwn && !may(account, route.need ?? 'components')) {
    return refuse(403, 'InsufficientPrivilege');
  }
  const stale = request.method === 'PATCH' ? precondition(context, { request, routed }) : undefined;
  if (stale !== undefined) return stale;
  const { body } = request;
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  if (body !== undefined && !isObject) return refuse(400, 'MalformedJSON');
  const asked = { verb, body: isObject ? { ...body } : {}, headers: request.headers };
  if (request.method === 'PATCH') return patchKnownPart(context, routed, asked);
  return verb(context, asked.body, { ...found, headers: asked.headers });
};

const may = (account: LabAccount | undefined, need: Need): boolean => {
  if (need === 'nobody') return true;
  if (account === undefined || account.privilege === 'read_only') return false;
  return account.privilege === 'administrator' || need === 'components';
};

/** If-Match (RFC 9110 §13.1.1), with what some makes want of it. */
const precondition = (
  context: LabContext,
  { request, routed }: Omit<Writing, 'account'>,
): LabReply | undefined => {
  const { etags } = context.personality;
  const sent = request.headers['if-match'];
  if (sent === undefined)
    return etags === 'required' ? refuse(428, 'PreconditionRequired') : undefined;
  if (sent === '*') return undefined;
  const now = routed.route.get?.(context, routed.found);
  const current = typeof now === 'object' ? etagOf(JSON.stringify(now)) : '';
  const isWeak = sent.startsWith('W/');
  const isSame = sent.replace(/^W\//, '') === current && !(etags === 'weak' && isWeak);
  return isSame ? undefined : refuse(412, 'PreconditionFailed');
};
