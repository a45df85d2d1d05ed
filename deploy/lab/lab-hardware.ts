import { createHash } from 'node:crypto';
import type { LabHardware } from './server-port.ts';

const MEBIBYTE = 1024 ** 2;
const GIBIBYTE = 1024 ** 3;
const GIGABIT = 1_000_000_000;

/**
 * What a server is made of when nobody says otherwise; serial number, UUID and MACs follow from the
 * name, so that they are the same after each restart and differ between servers.
 */
export const labHardware = (name: string, lab = 'lab'): LabHardware => {
  const digest = createHash('sha256').update(`${lab}/${name}`).digest();
  const hex = digest.toString('hex');
  const mac = (index: number): string =>
    // Locally administered, unicast: the second bit of the first byte (IEEE 802 §8.2). 36 bits of
    // the digest: with 24, two servers of a fleet of ten thousand have the same.
    `52:${hex.slice(0, 8).match(/../g)?.join(':')}:${hex[8]}${index}`;
  return {
    name,
    vendor: 'Runmachine Lab',
    model: 'Virtual Server 1',
    serialNumber: `RL${hex.slice(0, 10).toUpperCase()}`,
    uuid: uuidOf(hex),
    biosVersion: '1.4.2',
    bmcVersion: '2.10.0',
    bmcMac: mac(0),
    processors: [{ model: 'Virtual Processor', cores: 1, threads: 1 }],
    memory: [{ label: 'DIMM A1', sizeBytes: 128 * MEBIBYTE }],
    disks: [
      {
        ...{ label: 'Disk 0', model: 'Virtual Disk', serialNumber: `d0${hex.slice(0, 10)}` },
        ...{ sizeBytes: 20 * GIBIBYTE, kind: 'ssd' },
      },
    ],
    nics: [
      { label: 'NIC 1', mac: mac(1), speedBitsPerSecond: 10 * GIGABIT },
      { label: 'NIC 2', mac: mac(2), speedBitsPerSecond: 10 * GIGABIT },
    ],
  };
};

/** A UUIDv8 (RFC 9562 §5.8): made by a rule of our own. */
const uuidOf = (hex: string): string =>
  [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-');
