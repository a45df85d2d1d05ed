/**
 * A server shows a MAC address, a serial number or an SMBIOS UUID that is another provider's. Each
 * such conflict is an event of the one that shows it, once, and another when it is over.
 */
import { type EventDraft, event } from './event.ts';

export type IdentifierConflict = {
  /** Of the facts: "serial_number", "smbios_uuid" or "nics[eth0].mac". */
  readonly field: string;
  readonly value: string;
  /** Resource name of the provider that has it. */
  readonly holder: string;
  readonly holderUid: string;
};

/** The same one is the same, however it is spelt and whichever NIC shows it. */
export const conflictKey = ({ field, value, holderUid }: IdentifierConflict): string =>
  [kindOf(field), value.toLowerCase().replace(/[^a-z0-9]/g, ''), holderUid].join(' ');

const kindOf = (field: string): string => (field.endsWith('.mac') ? 'mac' : field);

/** "serial_number SN1 (partitions/lab/providers/r1)". */
export const spokenConflict = ({ field, value, holder }: IdentifierConflict): string =>
  `${field} ${value} (${holder})`;

const WORDS: Readonly<Record<string, string>> = {
  mac: 'MAC address',
  serial_number: 'serial number',
  smbios_uuid: 'SMBIOS UUID',
};

const identifierOf = ({ field, value }: IdentifierConflict): string => {
  const label = /^nics\[(.*)\]\.mac$/.exec(field)?.[1];
  const nic = label === undefined ? '' : ` of ${label}`;
  return `${WORDS[kindOf(field)] ?? field} ${value}${nic}`;
};

const idOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

type Shower = { readonly name: string };

export const conflictBegan = (
  nowMs: number,
  { name }: Shower,
  conflict: IdentifierConflict,
): EventDraft =>
  event(nowMs, {
    type: 'provider.identifier_conflict',
    severity: 'warning',
    message:
      `It shows the ${identifierOf(conflict)}, which ${idOf(conflict.holder)} has already. ` +
      'Either hardware was moved between the two or one of them is recorded wrongly. After a ' +
      `move: runm provider inspect ${idOf(conflict.holder)}; a wrong record: runm provider ` +
      `update, or delete; then: runm provider inspect ${idOf(name)}`,
    data: dataOf(name, conflict),
  });

export const conflictEnded = (
  nowMs: number,
  { name }: Shower,
  conflict: IdentifierConflict,
): EventDraft =>
  event(nowMs, {
    type: 'provider.identifier_conflict_ended',
    message: `Its conflict with ${idOf(conflict.holder)} about the ${identifierOf(conflict)} is over`,
    data: dataOf(name, conflict),
  });

const dataOf = (provider: string, { field, value, holder, holderUid }: IdentifierConflict) => ({
  field,
  value,
  provider,
  holder,
  holder_uid: holderUid,
});
