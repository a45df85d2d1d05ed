import { isAt, LINKED, LINKED_AT, LINKED_UNDER_LINKS, nameOf, PLACES } from './redfish-places.ts';
import { faultsIn } from './redfish-shape.ts';
import { shapeOf } from './redfish-shapes.ts';

/**
 * What the DMTF's Service Validator asks of each resource, as far as our tables know its types:
 * properties, place, Id, Allow, targets of actions, embedded members, and where links lead.
 */
export type Served = {
  readonly body: Readonly<Record<string, unknown>>;
  readonly allow: string;
};

export const faultsOfAll = (all: ReadonlyMap<string, Served>): readonly string[] =>
  [...all].flatMap(([uri, served]) =>
    [
      ...faultsOfBody(served.body),
      ...faultsOfPlace(uri, served),
      ...faultsOfActions(uri, served.body),
      ...faultsOfMembers(uri, served.body),
      ...faultsOfLinks(served.body, all),
    ].map((fault) => `${uri}: ${fault}`),
  );

export const faultsOfBody = (body: Readonly<Record<string, unknown>>): readonly string[] => {
  const type = String(body['@odata.type']);
  const shape = shapeOf(type);
  if (shape === undefined) return [`its type ${type} is not known`];
  const members: unknown = body.Members;
  const isCounted = !Array.isArray(members) || body['Members@odata.count'] === members.length;
  return [...faultsIn(body, shape), ...(isCounted ? [] : ['it counts its members wrongly'])];
};

const faultsOfPlace = (uri: string, { body, allow }: Served): readonly string[] => {
  const name = nameOf(body['@odata.type']);
  const place = PLACES[name];
  const writes = allow.split(/,\s*/).filter((method) => !['GET', 'HEAD', ''].includes(method));
  const excess = writes.filter((method) => place?.methods.includes(method) !== true);
  const faults = excess.map((method) => `it allows ${method}, which its type does not have`);
  if (place === undefined) {
    // These may be anywhere.
    const isKnown = /Collection$|^ActionInfo$|^MessageRegistry$/.test(name);
    return isKnown ? faults : [...faults, `nobody knows where a ${name} may be`];
  }
  // A settings resource is of the type of what it sets, and where the annotation says.
  const isThere = isAt(uri, place) || /\/Settings$/.test(uri);
  const mustMatch = place.uris.some((one) => one.endsWith('{}')) && !uri.endsWith('/Settings');
  const isNamed = !mustMatch || body.Id === uri.split('/').at(-1);
  return [
    ...faults,
    ...(isThere ? [] : [`a ${name} may not be there`]),
    ...(isNamed ? [] : [`its Id is ${String(body.Id)}`]),
  ];
};

const faultsOfActions = (
  uri: string,
  { Actions: actions }: Readonly<Record<string, unknown>>,
): readonly string[] =>
  Object.entries(Object(actions)).flatMap(([name, action]) => {
    const target: unknown = Object(action).target;
    const due = `${uri}/Actions/${name.replace('#', '')}`;
    return target === due ? [] : [`${name} is at ${String(target)}, not at ${due}`];
  });

/** Parts with a MemberId are named by a JSON pointer to themselves (RFC 6901). */
const faultsOfMembers = (uri: string, value: unknown, pointer = ''): readonly string[] => {
  if (typeof value !== 'object' || value === null) return [];
  const here: Readonly<Record<string, unknown>> = { ...value };
  const isRight =
    here.MemberId === undefined ||
    (here['@odata.id'] === `${uri}#${pointer}` && here.MemberId === pointer.split('/').at(-1));
  return [
    ...(isRight ? [] : [`the member at ${pointer} calls itself ${String(here['@odata.id'])}`]),
    ...Object.entries(value).flatMap(([name, one]) =>
      faultsOfMembers(uri, one, `${pointer}/${name}`),
    ),
  ];
};

const faultsOfLinks = (
  body: Readonly<Record<string, unknown>>,
  all: ReadonlyMap<string, Served>,
): readonly string[] => {
  const own = nameOf(body['@odata.type']);
  const dueOf = (name: string, isUnder: boolean): string =>
    (isUnder ? LINKED_UNDER_LINKS[name] : LINKED_AT[own]?.[name]) ?? LINKED[name] ?? name;
  const walk = (value: unknown, name: string, isUnder: boolean): readonly string[] => {
    if (Array.isArray(value)) return value.flatMap((one) => walk(one, name, isUnder));
    if (typeof value !== 'object' || value === null) return [];
    const entries = Object.entries(value);
    const [only] = entries;
    if (entries.length !== 1 || only?.[0] !== '@odata.id') {
      return entries.flatMap(([key, one]) => walk(one, key, isUnder || key === 'Links'));
    }
    const due = name === 'Members' ? own.replace(/Collection$/, '') : dueOf(name, isUnder);
    const target = all.get(String(only[1]))?.body ?? {};
    const found = nameOf(target['@odata.type']);
    const isSame = found === due || (name === 'SettingsObject' && found === own);
    return isSame ? [] : [`${name} leads to a ${found}, not to a ${due}`];
  };
  return walk(body, '', false);
};
