import type { LabFault, LabFaults } from './server-port.ts';

export const LAB_FAULTS = [
  'slow',
  'lie',
  'hang',
  '503',
  'lost-write',
  'wrong-state',
  'flap',
  'html',
] as const satisfies readonly LabFault[];

/** What one controller does wrong, until it is told otherwise. It forgets it with the process. */
export type FaultSwitch = {
  readonly faults: LabFaults;
  readonly set: (fault: LabFault | undefined) => void;
};

export const createFaultSwitch = (): FaultSwitch => {
  let current: LabFault | undefined;
  return {
    faults: { current: () => current },
    set: (fault) => {
      current = fault;
    },
  };
};

export const faultOf = (word: string): LabFault | undefined =>
  LAB_FAULTS.find((one) => one === word);
