/**
 * What becomes of an order that is found in the journal. What had not begun is done while it is
 * still valid, a change only when it is given again (bmc/orders.ts). What was under way when the
 * agent died is done again where that changes nothing that the first time did not; a change whose
 * outcome nobody saw is not done a second time: the controller is read, and the answer says what is
 * seen.
 */
export type OrderWork =
  | 'probe'
  | 'read_facts'
  | 'read_power'
  | 'change_power'
  | 'read_boot_device'
  | 'set_boot_device'
  | 'read_sensors'
  | 'read_log'
  | 'clear_log'
  | 'set_indicator'
  | 'raw'
  | 'rotate'
  | 'scan'
  | 'read_media'
  | 'insert_media'
  | 'eject_media'
  | 'read_bios'
  | 'set_bios';

export type OrderState = 'received' | 'begun' | 'done';

export type Recovery = 'do' | 'look_and_tell' | 'tell_again' | 'expired';

/** rotate looks first and leaves a controller that has the staged password as it is. */
const REPEATABLE: Readonly<Record<OrderWork, boolean>> = {
  probe: true,
  read_facts: true,
  read_power: true,
  change_power: false,
  read_boot_device: true,
  set_boot_device: false,
  read_sensors: true,
  read_log: true,
  clear_log: false,
  set_indicator: false,
  raw: false,
  rotate: true,
  scan: true,
  read_media: true,
  insert_media: false,
  eject_media: false,
  read_bios: true,
  set_bios: false,
};

export const isRepeatable = (work: OrderWork): boolean => REPEATABLE[work];

export const recoverOrder = (
  state: OrderState,
  work: OrderWork,
  time: { readonly receivedMs: number; readonly validForMs: number; readonly nowMs: number },
): Recovery => {
  if (state === 'done') return 'tell_again';
  if (state === 'begun') return REPEATABLE[work] ? 'do' : 'look_and_tell';
  // A clock that was set back must not make an order valid for ever.
  const ageMs = Math.abs(time.nowMs - time.receivedMs);
  return ageMs <= time.validForMs ? 'do' : 'expired';
};
