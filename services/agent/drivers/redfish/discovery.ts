import { BmcError } from '../../bmc-port.ts';
import type { RedfishAddress } from './address.ts';
import type { RedfishClient } from './client.ts';
import { type BmcIdentity, type QuirkRules, rulesOf } from './quirk.ts';
import { quirksOf } from './quirks/catalog.ts';
import { at, flagAt, isWhole, linkAt, linksAt, type Resource, textAt } from './resource.ts';
import type { Session } from './session.ts';

/** From the service root to the one machine, by links only (DSP0266, service discovery). */
export type Found = {
  readonly root: Resource;
  readonly system: Resource;
  readonly systemLink: string;
  readonly manager: Resource | undefined;
  readonly chassisLinks: readonly string[];
  readonly identity: BmcIdentity;
};

type Deps = { readonly client: RedfishClient; readonly session: Session };

/** The only link that the specification itself names; /redfish leads there where it moved. */
const ROOT = '/redfish/v1/';
const VERSIONS = '/redfish';

/** Signs in on the way: the root is for everybody, the rest is not. */
export const signedInRoot = async (
  { client, session }: Deps,
  signal: AbortSignal,
): Promise<Resource> => {
  const root = await readRoot({ client, session }, signal);
  if (textAt(root, '@odata.id') === '' && at(root, 'Systems') === undefined) {
    throw new BmcError('protocol', `${ROOT} is no Redfish service root`);
  }
  if (session.kind() === 'none') {
    await session.signIn(linkAt(root, 'Links', 'Sessions'), signal);
  }
  return root;
};

const readRoot = async ({ client, session }: Deps, signal: AbortSignal): Promise<Resource> => {
  try {
    const root = await client.find(ROOT, signal);
    if (root !== undefined) return root;
    const version = textAt(await client.get(VERSIONS, signal), 'v1');
    return await client.get(version || ROOT, signal);
  } catch (error) {
    const wantsUser = error instanceof BmcError && error.fault === 'unauthorized';
    if (!wantsUser || session.kind() !== 'none') throw error;
    // Some ask for a user already here, where they cannot yet have said where sessions are made.
    await session.signIn('', signal);
    return client.get(ROOT, signal);
  }
};

/** Whether collections may be asked for with their members in one answer. */
export const canExpand = (root: Resource): boolean =>
  flagAt(root, 'ProtocolFeaturesSupported', 'ExpandQuery', 'NoLinks') === true;

export const discover = async (
  client: RedfishClient,
  { root, address }: { readonly root: Resource; readonly address: RedfishAddress },
  signal: AbortSignal,
): Promise<Found> => {
  const members = await listOf(client, linkAt(root, 'Systems'), signal);
  const systems = members.map((member) => textAt(member, '@odata.id'));
  const early = rulesOf(quirksOf(identityOf({ root, systems })));
  const candidates = candidatesIn(systems, { address, rules: early });
  const systemLink = await oneOf(client, { address, members, candidates }, signal);
  const listed = members.find((member) => textAt(member, '@odata.id') === systemLink);
  const isRead = listed !== undefined && isWhole(listed);
  const system = isRead ? listed : await client.get(systemLink, signal);
  const managerLink = linksAt(system, 'Links', 'ManagedBy')[0];
  const manager = await managerOf(client, { root, managerLink }, signal);
  const own = linksAt(system, 'Links', 'Chassis');
  const chassisLinks =
    own.length > 0 ? own : await memberLinks(client, linkAt(root, 'Chassis'), signal);
  const identity = identityOf({ root, systems, system, manager });
  return { root, system, systemLink, manager, chassisLinks, identity };
};

type Choosing = { readonly address: RedfishAddress; readonly rules: QuirkRules };

const candidatesIn = (
  links: readonly string[],
  { address, rules }: Choosing,
): readonly string[] => {
  const { systemLink: named } = address;
  if (named === '') return links.filter((link) => rules.partialSystems?.test(link) !== true);
  const found = links.find((link) => link.replace(/\/+$/, '') === named);
  if (found !== undefined) return [found];
  throw new BmcError('protocol', `The BMC has no system ${named}; it has ${told(links)}`);
};

type Candidates = {
  readonly address: RedfishAddress;
  readonly members: readonly Resource[];
  readonly candidates: readonly string[];
};

const oneOf = async (
  client: RedfishClient,
  { address, members, candidates }: Candidates,
  signal: AbortSignal,
): Promise<string> => {
  const [first, second] = candidates;
  if (first === undefined) throw new BmcError('unsupported', 'The BMC shows no computer system');
  if (second === undefined) return first;
  const named = members.filter((one) => candidates.includes(textAt(one, '@odata.id')));
  const [physical, other] = await physicalIn(client, named, signal);
  const isOne = physical !== undefined && other === undefined && named.length <= LISTED_MAX;
  if (isOne) return physical;
  throw new BmcError(
    'refused',
    `The BMC has several systems (${told(candidates)}): name one of them in its address, ` +
      `as ${address.origin}${first}`,
  );
};

/**
 * Beside the machine some show the hypervisor on it or a card in it (OpenBMC of IBM). What does not
 * say that it is something else may be a machine, and so may what cannot be read now.
 */
const physicalIn = async (
  client: RedfishClient,
  members: readonly Resource[],
  signal: AbortSignal,
): Promise<readonly string[]> => {
  const found: string[] = [];
  for (const member of members.slice(0, LISTED_MAX)) {
    const link = textAt(member, '@odata.id');
    const whole = isWhole(member) ? member : await readOrNot(client, link, signal);
    const type = textAt(whole, 'SystemType');
    if (type === '' || type === 'Physical') found.push(link);
  }
  return found;
};

const readOrNot = async (
  client: RedfishClient,
  link: string,
  signal: AbortSignal,
): Promise<Resource | undefined> => {
  try {
    return await client.find(link, signal);
  } catch (error) {
    if (error instanceof BmcError && /^(?:busy|refused)$/.test(error.fault)) return undefined;
    throw error;
  }
};

const LISTED_MAX = 8;

const told = (links: readonly string[]): string =>
  links.length === 0 ? 'none' : links.slice(0, LISTED_MAX).join(', ');

const listOf = async (
  client: RedfishClient,
  link: string,
  signal: AbortSignal,
): Promise<readonly Resource[]> => {
  const listed = link === '' ? [] : await client.list(link, signal);
  return listed.filter((member) => textAt(member, '@odata.id') !== '');
};

const memberLinks = async (
  client: RedfishClient,
  link: string,
  signal: AbortSignal,
): Promise<readonly string[]> => {
  if (link === '') return [];
  return linksAt(await client.find(link, signal), 'Members');
};

type ManagerAt = { readonly root: Resource; readonly managerLink: string | undefined };

const managerOf = async (
  client: RedfishClient,
  { root, managerLink }: ManagerAt,
  signal: AbortSignal,
): Promise<Resource | undefined> => {
  if (managerLink !== undefined) return client.find(managerLink, signal);
  const links = await memberLinks(client, linkAt(root, 'Managers'), signal);
  const [only, other] = links;
  // Of several nobody says which is this machine's.
  return only === undefined || other !== undefined ? undefined : client.find(only, signal);
};

type Known = {
  readonly root: Resource;
  readonly systems: readonly string[];
  readonly system?: Resource;
  readonly manager?: Resource | undefined;
};

const identityOf = ({ root, systems, system, manager }: Known): BmcIdentity => ({
  vendor:
    textAt(root, 'Vendor') ||
    textAt(system, 'Manufacturer') ||
    textAt(manager, 'Manufacturer') ||
    Object.keys(Object(at(root, 'Oem'))).join(' '),
  model: textAt(system, 'Model'),
  product: [textAt(root, 'Product'), textAt(manager, 'Model')]
    .filter((one) => one !== '')
    .join(' '),
  firmware: textAt(manager, 'FirmwareVersion'),
  systems,
});
