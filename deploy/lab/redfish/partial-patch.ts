import type { LabContext, Write } from './context.ts';
import { type Json, type LabReply, messageOf, refuse } from './message.ts';
import type { Routed } from './routes.ts';

/**
 * A PATCH of which the resource knows a part: that part is done, and what it does not know is told
 * beside the result (DSP0266, PATCH).
 */
export const patchKnownPart = async (
  context: LabContext,
  { route, found }: Routed,
  { verb, body, headers }: Patching,
): Promise<LabReply> => {
  const asked = Object.keys(body).filter((name) => !name.startsWith('@'));
  if (asked.length === 0 && Object.keys(body).length > 0) return refuse(400, 'NoOperation');
  const shown: Json = Object(route.get?.(context, found));
  const unknown = asked.filter((name) => !Object.hasOwn(shown, name) && !ELSEWHERE.has(name));
  const [first] = unknown;
  if (first !== undefined && unknown.length === asked.length) {
    return refuse(400, 'PropertyUnknown', { detail: `It is ${first}.`, about: first });
  }
  const known = Object.entries(body).filter(([name]) => !unknown.includes(name));
  const reply = await verb(context, Object.fromEntries(known), { ...found, headers });
  if (first === undefined || reply.status >= 300 || reply.status === 202) return reply;
  const infos = unknown.map((name) => messageOf('PropertyUnknown', `It is ${name}.`, name));
  const now: Json = Object(route.get?.(context, found));
  return { status: 200, body: { ...now, '@Message.ExtendedInfo': infos } };
};

type Patching = {
  readonly verb: Write;
  readonly body: Json;
  readonly headers: Readonly<Record<string, string>>;
};

/** What some makes leave out and know all the same: they refuse it by name. */
const ELSEWHERE: ReadonlySet<string> = new Set(['Enabled', 'RoleId']);
