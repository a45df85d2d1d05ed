import type { Route, Write } from '../context.ts';
import { type Json, type LabReply, noContent, refuse } from '../message.ts';
import { SYSTEM } from './paths.ts';
import { collection, flagField, resource, unknownProperty } from './shape.ts';

/**
 * What the firmware boots when nothing else was asked for, in its order, which is always the same
 * (DSP0268, BootOption); and that it is no UEFI, so that no boot is secure.
 */
export const BOOT_OPTIONS = `${SYSTEM}/BootOptions`;
export const SECURE_BOOT = `${SYSTEM}/SecureBoot`;

const OPTIONS = {
  Boot0001: ['Hdd', 'Hard disk'],
  Boot0002: ['Cd', 'Virtual CD-ROM'],
  Boot0003: ['Pxe', 'Network'],
} as const;

export const BOOT_ORDER = Object.keys(OPTIONS);

/** Another order cannot be had; undefined = the same one was sent, or none. */
export const orderProblem = ({ BootOrder: sent }: Json): LabReply | undefined => {
  if (sent === undefined || JSON.stringify(sent) === JSON.stringify(BOOT_ORDER)) return undefined;
  const detail = `It is ${BOOT_ORDER.join(', ')}.`;
  return refuse(400, 'PropertyNotWritable', { detail, about: 'Boot/BootOrder' });
};

const optionOf = (id: string): Json | undefined => {
  const option = new Map(Object.entries(OPTIONS)).get(id);
  if (option === undefined) return undefined;
  return resource('BootOption', `${BOOT_OPTIONS}/${id}`, {
    Name: option[1],
    BootOptionReference: id,
    DisplayName: option[1],
    Alias: option[0],
    BootOptionEnabled: true,
  });
};

const secureBootOf = (): Json =>
  resource('SecureBoot', SECURE_BOOT, {
    Name: 'UEFI secure boot',
    SecureBootEnable: false,
    SecureBootCurrentBoot: 'Disabled',
  });

const patchSecureBoot: Write = (_context, body) => {
  const about = 'SecureBootEnable';
  const unknown = unknownProperty(body, [about]);
  if (unknown !== undefined) return unknown;
  const enable = flagField(body, about);
  if (enable.kind === 'wrong') return enable.reply;
  const isAsked = enable.kind === 'value' && enable.value;
  const detail = 'The firmware is no UEFI.';
  return isAsked ? refuse(400, 'PropertyNotWritable', { detail, about }) : noContent;
};

export const BOOT_OPTION_ROUTES: readonly Route[] = [
  {
    path: BOOT_OPTIONS,
    get: () => collection('BootOption', BOOT_OPTIONS, { name: 'Boot options', ids: BOOT_ORDER }),
  },
  { path: `${BOOT_OPTIONS}/{id}`, get: (_context, { id }) => optionOf(id) },
  { path: SECURE_BOOT, get: secureBootOf, patch: patchSecureBoot },
];
