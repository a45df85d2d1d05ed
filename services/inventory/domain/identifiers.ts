/**
 * By what hardware is told apart: MAC addresses, serial numbers, SMBIOS UUIDs and the system at a
 * management controller, each unique in a partition. They are attributes and never identity. What
 * vendors leave in these fields when they have nothing to say is no identifier: two servers may
 * show it.
 */
import { alreadyExists, type DomainError } from '../../runtime/errors.ts';
import { controllerAddress, controllerKey } from './controller-address.ts';
import { type ProviderRecord, providerName } from './records.ts';

export type Identifier = {
  /** "mac 02:00:00:00:00:01", "serial abc123", "uuid …", "bmc …": kind, value in one spelling. */
  readonly key: string;
  /** Field of the facts or the spec that says it, for example "nics[eth0].mac". */
  readonly field: string;
  /** As it was given. */
  readonly value: string;
};

type Shown = {
  readonly nics: readonly { readonly label: string; readonly mac: string }[];
  readonly facts?: { readonly serialNumber: string; readonly smbiosUuid: string } | undefined;
  readonly bmc?: { readonly address: string; readonly ipmiAddress: string } | undefined;
};

/** Each once, in the order of their keys: who writes several does so in one order. */
export const identifiersOf = ({ nics, facts, bmc }: Shown): readonly Identifier[] => {
  const found = new Map<string, Identifier>();
  const add = (key: string | undefined, field: string, value: string): void => {
    if (key !== undefined && !found.has(key)) found.set(key, { key, field, value });
  };
  for (const { label, mac } of nics) add(macKey(mac), `nics[${label}].mac`, mac);
  if (facts !== undefined) {
    add(serialKey(facts.serialNumber), 'serial_number', facts.serialNumber);
    add(uuidKey(facts.smbiosUuid), 'smbios_uuid', facts.smbiosUuid);
  }
  if (bmc !== undefined && bmc.address !== '') {
    const at = controllerAddress(bmc.address);
    add(controllerKey(at), 'bmc.address', bmc.address);
    const { controller } = controllerAddress(bmc.ipmiAddress);
    const beside = controller === '' ? undefined : controllerKey({ ...at, controller });
    add(beside, 'bmc.ipmi_address', bmc.ipmiAddress);
  }
  return found.size < 2
    ? [...found.values()]
    : [...found.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
};

const NO_MACS: ReadonlySet<string> = new Set(['', '00:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff']);

const macKey = (mac: string): string | undefined =>
  NO_MACS.has(mac.toLowerCase()) ? undefined : `mac ${mac.toLowerCase()}`;

/** In lower case, letters and digits only. */
const NO_SERIALS: ReadonlySet<string> = new Set([
  '',
  '0123456789',
  '123456789',
  '1234567890',
  'chassisserialnumber',
  'default',
  'defaultstring',
  'empty',
  'invalid',
  'na',
  'none',
  'notapplicable',
  'notavailable',
  'notprovided',
  'notset',
  'notspecified',
  'null',
  'oem',
  'serialnumber',
  'systemserialnumber',
  'tbd',
  'tobefilledbyoem',
  'unknown',
  'unspecified',
]);

const serialKey = (serial: string): string | undefined => {
  const folded = serial.trim().toLowerCase();
  const bare = folded.replace(/[^a-z0-9]/g, '');
  // One character over and over ("0000000", "xxxx") is filling too.
  const isFilling = NO_SERIALS.has(bare) || /^(.)\1*$/.test(bare);
  return isFilling ? undefined : `serial ${folded}`;
};

/**
 * Seen on boards whose maker set none. The first two are the same bytes in the two orders of
 * SMBIOS 2.6 and before it (DSP0134 §7.2.1); it stands on many consumer boards.
 */
const NO_UUIDS: ReadonlySet<string> = new Set([
  '03000200040005000006000700080009',
  '00020003000400050006000700080009',
  '12345678123456789012123456789012',
  '1234567812345678123456789abcdef0',
  '123456781234567890abcddeefaabbcc',
  '0123456789abcdef0123456789abcdef',
  '4c4c4544000020108020' + '80c04f202020',
]);

const uuidKey = (uuid: string): string | undefined => {
  const hex = uuid.toLowerCase().replace(/[^0-9a-z]/g, '');
  return NO_UUIDS.has(hex) || /^(.)\1*$/.test(hex) || hex === '' ? undefined : `uuid ${hex}`;
};

export type Holder = Pick<ProviderRecord, 'uid' | 'id' | 'partition'>;

/** What was to be written and who has it already. */
export type Taken = { readonly identifier: Identifier; readonly holder: Holder };

const WORDS: Readonly<Record<string, string>> = {
  bmc: 'management controller at',
  mac: 'MAC address',
  serial: 'serial number',
  uuid: 'SMBIOS UUID',
};

/** "the MAC address 02:00:00:00:00:01". */
export const spokenIdentifier = ({ key, value }: Identifier): string =>
  `the ${WORDS[key.slice(0, key.indexOf(' '))] ?? 'identifier'} ${value}`;

/** Errors: already_exists naming both providers. */
export const identifierTaken = (
  record: Pick<ProviderRecord, 'id' | 'partition'>,
  { identifier, holder }: Taken,
): DomainError => {
  const name = providerName(record);
  const holderName = providerName(holder);
  const { key, field, value } = identifier;
  const kind = key.slice(0, key.indexOf(' '));
  const has = `${holderName} has ${spokenIdentifier(identifier)}`;
  return alreadyExists(
    'ALREADY_EXISTS',
    `Cannot write ${name}: ${has}${kind === 'bmc' ? ` already. ${CURE}` : ''}`,
    { metadata: { name, field: pathOf(kind, field), [kind]: value, holder: holderName } },
  );
};

const CURE =
  'Correct one of the two addresses; nodes that share the controller of their chassis each name ' +
  'their own system in it, as https://bmc/redfish/v1/Systems/1';

const pathOf = (kind: string, field: string): string => {
  if (kind === 'mac') return 'spec.nics.mac';
  return kind === 'bmc' ? `spec.${field}` : `spec.facts.${field}`;
};
