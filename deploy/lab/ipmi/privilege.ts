import type { LabAccount } from '../server-port.ts';

/** Privilege levels as IPMI counts them (IPMI 2.0 §6.8). */
export const LEVEL_OF: Readonly<Record<LabAccount['privilege'], number>> = {
  administrator: 4,
  operator: 3,
  read_only: 2,
};
