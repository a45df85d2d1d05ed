import type { LabContext, Route, Write } from '../context.ts';
import { type Json, link, noContent, ok, refuse } from '../message.ts';
import { ROOT, SESSIONS } from './paths.ts';
import { collection, HEALTHY, resource, textField } from './shape.ts';

/** Sessions (DSP0266, Redfish session login authentication). */
const SERVICE = `${ROOT}/SessionService`;
const TIMEOUT = { min: 30, max: 86_400 } as const;

const serviceOf = ({ guard, personality }: LabContext): Json =>
  resource('SessionService', SERVICE, {
    Name: 'Session service',
    ServiceEnabled: personality.sessions !== 'none',
    SessionTimeout: guard.timeoutSeconds(),
    Status: HEALTHY,
    Sessions: link(SESSIONS),
  });

const patchService: Write = ({ guard }, body) => {
  const seconds = body.SessionTimeout;
  const isRight = typeof seconds === 'number' && seconds >= TIMEOUT.min && seconds <= TIMEOUT.max;
  if (!isRight) {
    const detail = `SessionTimeout is from ${TIMEOUT.min} to ${TIMEOUT.max}.`;
    return refuse(400, 'PropertyValueTypeError', { detail, about: 'SessionTimeout' });
  }
  guard.setTimeoutSeconds(seconds);
  return noContent;
};

const sessionOf = ({ guard }: LabContext, id: string): Json | undefined => {
  const found = guard.sessions().find((one) => one.id === id);
  if (found === undefined) return undefined;
  return resource('Session', `${SESSIONS}/${id}`, {
    Name: 'Session',
    UserName: found.user,
    CreatedTime: found.createdAt.toISOString(),
    SessionType: 'Redfish',
  });
};

const signIn: Write = (context, body) => {
  const user = textField(body, 'UserName');
  const password = textField(body, 'Password');
  for (const field of [user, password]) if (field.kind === 'wrong') return field.reply;
  if (user.kind !== 'value' || password.kind !== 'value') {
    return refuse(400, 'PropertyMissing', { detail: 'UserName and Password are needed.' });
  }
  const signed = context.guard.signIn(user.value, password.value);
  if (signed.kind === 'full') return refuse(503, 'SessionLimitExceeded');
  if (signed.kind !== 'session') {
    const detail =
      signed.kind === 'locked'
        ? `The account waits ${context.guard.lockout().durationSeconds} s.`
        : '';
    return refuse(401, 'ResourceAtUriUnauthorized', { detail });
  }
  const path = `${SESSIONS}/${signed.session.id}`;
  return {
    ...ok(sessionOf(context, signed.session.id) ?? {}),
    status: 201,
    headers: { location: path, 'x-auth-token': signed.token },
  };
};

export const SESSION_ROUTES: readonly Route[] = [
  { path: SERVICE, get: serviceOf, patch: patchService, need: 'manager' },
  {
    path: SESSIONS,
    get: ({ guard }) => {
      const ids = guard.sessions().map(({ id }) => id);
      return collection('Session', SESSIONS, { name: 'Sessions', ids });
    },
    post: signIn,
    lacks: ({ personality }) => personality.sessions === 'none',
    need: 'nobody',
  },
  {
    path: `${SESSIONS}/{id}`,
    get: (context, { id }) => sessionOf(context, id),
    remove: ({ guard }, _body, { id }) =>
      guard.signOut(id) ? noContent : refuse(404, 'ResourceMissingAtURI'),
    need: 'self',
  },
];
