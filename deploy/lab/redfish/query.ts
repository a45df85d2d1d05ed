import { allowedBy, etagOf, type LabContext } from './context.ts';
import { type Json, type LabReply, type LabRequest, refuse } from './message.ts';
import { schemaPath } from './resources/paths.ts';
import { EXPAND_LEVELS_MAX } from './resources/root.ts';
import { type Routed, routeAt } from './routes.ts';

/** Answers to GET: pages, $top, $skip, only, $expand, ETag (DSP0266, query parameters). */
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
  if (request.query.get('only')) {
    const detail = 'only takes no value.';
    return refuse(400, 'QueryParameterValueFormatError', { detail });
  }
  const isOnly = request.query.has('only');
  if (isOnly && !Array.isArray(Object(whole).Members)) {
    return refuse(400, 'QueryNotSupportedOnResource');
  }
  const member = isOnly ? onlyMemberOf(whole) : undefined;
  if (member !== undefined) return answerWith(context, { ...request, query: NONE }, member);
  const headers = { allow: allowedBy(route, context), ...describedBy(whole) };
  if (typeof whole === 'string') return { status: 200, headers, body: whole };
  const wholeJson = JSON.stringify(whole);
  const etag = `${context.personality.etags === 'weak' ? 'W/' : ''}${etagOf(wholeJson)}`;
  if (request.headers['if-none-match'] === etag) return { status: 304, headers: { etag } };
  const shown = shownBy(context, request, whole);
  if (shown.kind === 'refused') return shown.reply;
  const json = shown.body === whole ? wholeJson : JSON.stringify(shown.body);
  return { status: 200, headers: { ...headers, etag }, body: shown.body, json };
};

const NONE = new URLSearchParams();

/** The member of a collection that has one; undefined: it has none or several, or is none. */
const onlyMemberOf = (whole: Json | string): Routed | undefined => {
  const members: unknown = Object(whole).Members;
  if (!Array.isArray(members) || members.length !== 1) return undefined;
  return routeAt(String(Object(members[0])['@odata.id']));
};

const PUBLISHED = 'http://redfish.dmtf.org/schemas/v1';

/** Where the schema of what is shown lies (DSP0266, Link header). */
const describedBy = (whole: Json | string): Readonly<Record<string, string>> => {
  const type = /^#(\w+(\.v\w+)?)\.\w+$/.exec(String(Object(whole)['@odata.type']));
  if (type === null) return {};
  const [, name = '', version] = type;
  const place = version === undefined ? `${PUBLISHED}/${name}.json` : schemaPath(name);
  return { link: `<${place}>; rel=describedby` };
};

type Shown =
  | { readonly kind: 'body'; readonly body: Json }
  | { readonly kind: 'refused'; readonly reply: LabReply };

const shownBy = (context: LabContext, request: LabRequest, whole: Json): Shown => {
  const { personality } = context;
  const { query } = request;
  const expand = query.get('$expand');
  const other = [...query.keys()].find((name) => name.startsWith('$') && !KNOWN.has(name));
  if (other !== undefined) return { kind: 'refused', reply: notOffered(other) };
  const cut = CUTS.find((name) => query.has(name));
  if (cut !== undefined && !Array.isArray(whole.Members)) {
    return { kind: 'refused', reply: refuse(400, 'QueryNotSupportedOnResource') };
  }
  const wrong = CUTS.find((name) => !/^\d{1,9}$/.test(query.get(name) ?? '0'));
  if (wrong !== undefined) {
    const detail = `${wrong} is a number from 0.`;
    return { kind: 'refused', reply: refuse(400, 'QueryParameterValueTypeError', { detail }) };
  }
  const paged = pageOf(whole, {
    size: personality.pageSize ?? 0,
    skip: Number(query.get('$skip') ?? 0),
    top: Number(query.get('$top') ?? Number.MAX_SAFE_INTEGER),
  });
  if (expand === null) return { kind: 'body', body: paged };
  const levels = levelsIn(expand);
  if (personality.expand === false || levels === undefined || levels > EXPAND_LEVELS_MAX) {
    return { kind: 'refused', reply: notOffered('$expand') };
  }
  return { kind: 'body', body: expanded(context, paged, levels) };
};

const CUTS = ['$skip', '$top'] as const;
const KNOWN: ReadonlySet<string> = new Set(['$expand', ...CUTS]);

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

type Page = { readonly size: number; readonly skip: number; readonly top: number };

/** What was asked for, and a link to the rest of it where the controller sends a page at a time. */
const pageOf = (whole: Json, { size, skip, top }: Page): Json => {
  const { Members: members, '@odata.id': path } = whole;
  if (!Array.isArray(members)) return whole;
  const end = Math.min(skip + top, members.length);
  if (size === 0 || end - skip <= size) {
    return skip === 0 && end === members.length
      ? whole
      : { ...whole, Members: members.slice(skip, end) };
  }
  const at = skip + size;
  const rest = top === Number.MAX_SAFE_INTEGER ? '' : `&$top=${top - size}`;
  const next = `${String(path)}?$skip=${at}${rest}`;
  return { ...whole, Members: members.slice(skip, at), 'Members@odata.nextLink': next };
};
