import type { LabStatus } from './control-protocol.ts';

/** What the process that started the lab is told, over its channel. */
export type LabMessage =
  | { readonly lab: 'ready'; readonly socket: string; readonly status: LabStatus }
  | { readonly lab: 'refused'; readonly message: string };

// Only what could hurt is checked: both ends are ours.
export const isLabMessage = (value: unknown): value is LabMessage =>
  typeof value === 'object' &&
  value !== null &&
  'lab' in value &&
  (value.lab === 'ready' || value.lab === 'refused');
