import { allowedBy, etagOf, type LabContext } from './context.ts';
import { type Json, type LabReply, type LabRequest, refuse } from './message.ts';
import { EXPAND_LEVELS_MAX } from './resources/root.ts';
import { type Routed, routeAt } from './routes.ts';

/** Answers to GET: paging, $expand, ETag (DSP0266, query parameters). */
export const answerWith = (
  context: LabContext,
  request: LabRequest,
  { route, found }: Routed,
): LabReply => {
  const whole = route.get?.(context, found);
  if (whole === undefined) {
    return route.get === undefined
      ? refuse(405, 'ActionNotSupported', { headers: { allow: allowedBy(route, context) } })
      : refuse(404, 'ResourceMissingAtURI', { detail: `It is ${found.path}.` });
  }
  const headers = { allow: allowedBy(route, context) };
  if (typeof whole === 'string') return { status: 200, headers, body: whole };
  const wholeJson = JSON.stringify(whole);
  const etag = `${context.personality.etags === 'weak' ? 'W/' : ''}${etagOf(wholeJson)}`;
  if (request.headers['if-none-match'] === etag) return { status: 304, headers: { etag } };
  const shown = shownBy(context, request, whole);
  if (shown.kind === 'refused') return shown.reply;
  const json = shown.body === whole ? wholeJson : JSON.stringify(shown.body);
  return { status: 200, headers: { ...headers, etag }, body: shown.body, json };
};

type Shown =
  | { readonly kind: 'body'; readonly body: Json }
  | { readonly kind: 'refused'; readonly reply: LabReply };

const shownBy = (context: LabContext, request: LabRequest, whole: Json): Shown => {
  const { personality } = context;
  const { query } = request;
  const paged = pageOf(whole, {
    size: personality.pageSize ?? 0,
    skip: Number(query.get('$skip') ?? 0),
  });
  const expand = query.get('$expand');
  const other = [...query.keys()].find((name) => name.startsWith('$') && !KNOWN.has(name));
  if (other !== undefined) return { kind: 'refused', reply: notOffered(other) };
  if (expand === null) return { kind: 'body', body: paged };
  const levels = levelsIn(expand);
  if (personality.expand === false || levels === undefined || levels > EXPAND_LEVELS_MAX) {
    return { kind: 'refused', reply: notOffered('$expand') };
  }
  return { kind: 'body', body: expanded(context, paged, levels) };
};

const KNOWN = new Set(['$expand', '$skip']);

/** Parameters with $ that are not offered are refused, others ignored. */
const notOffered = (name: string): LabReply =>
  refuse(501, 'QueryNotSupported', { detail: `It is ${name}.` });

/** `.` and `.($levels=n)`: what is below, without what is under Links. */
const levelsIn = (expand: string): number | undefined => {
  const match = /^\.(?:\(\$levels=(\d+)\))?$/.exec(expand);
  return match === null ? undefined : Number(match[1] ?? 1);
};

const expanded = (context: LabContext, body: Json, levels: number): Json =>
  Object.fromEntries(
    Object.entries(body).map(([name, value]) => [
      name,
      UNFOLLOWED.has(name) ? value : expandedValue(context, value, levels),
    ]),
  );

const UNFOLLOWED = new Set(['Links', 'Actions', '@odata.id', '@Redfish.Settings']);

const expandedValue = (context: LabContext, value: unknown, levels: number): unknown => {
  if (Array.isArray(value)) return value.map((one) => expandedValue(context, one, levels));
  if (typeof value !== 'object' || value === null) return value;
  const body: Json = { ...value };
  const names = Object.keys(body);
  const target = names.length === 1 ? body['@odata.id'] : undefined;
  if (typeof target !== 'string')
    return names.includes('@odata.id') ? body : expanded(context, body, levels);
  const routed = routeAt(target);
  const whole = routed?.route.get?.(context, routed.found);
  if (typeof whole !== 'object') return body;
  return levels > 1 ? expanded(context, whole, levels - 1) : whole;
};

const pageOf = (
  whole: Json,
  { size, skip }: { readonly size: number; readonly skip: number },
): Json => {
  const { Members: members, '@odata.id': path } = whole;
  if (!Array.isArray(members) || size === 0) return whole;
  const end = skip + size;
  const next =
    end < members.length ? { 'Members@odata.nextLink': `${String(path)}?$skip=${end}` } : {};
  return { ...whole, Members: members.slice(skip, end), ...next };
};
