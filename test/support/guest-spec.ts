import type { GuestSpec } from '../../services/agent/drivers/qemu/guest-spec.ts';

/** A small valid guest that boots nothing, with `change` on top. */
export const guestSpec = (change: Partial<GuestSpec> = {}): GuestSpec => ({
  name: 'guest-1',
  uuid: '0190a0b0-0000-7000-8000-000000000001',
  machine: 'q35',
  cpus: 1,
  memoryBytes: 128 * 1024 * 1024,
  boot: { kind: 'none' },
  disks: [],
  nics: [],
  ...change,
});
