/** What a rack in a box is made of, as its YAML file says. */
import { readFileSync } from 'node:fs';
import { invalidArgument } from '../../services/runtime/errors.ts';
import {
  readCheckedYaml,
  type YamlPath,
  type YamlProblems,
  type YamlReaders,
  yamlReaders,
} from './checked-yaml.ts';
import { labHardware } from './lab-hardware.ts';
import type { LabDisk, LabHardware } from './server-port.ts';

export type RackServer = {
  readonly hardware: LabHardware;
  /** Height unit in the rack, from 1. */
  readonly unit: number;
  readonly powerFeeds: readonly string[];
  /** By which of its protocols it is enrolled; it speaks both. */
  readonly bmc: 'redfish' | 'ipmi';
};

export type Rack = {
  readonly site: string;
  readonly rack: string;
  readonly powerFeeds: readonly string[];
  /** At least one, at most 64. */
  readonly servers: readonly RackServer[];
};

const SERVERS_MAX = 64;
const UNITS_MAX = 60;
const NAME = {
  pattern: /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/,
  hint: 'has to be 1 to 40 of a-z, 0-9 and "-", not at the ends',
};
const TEXT = { pattern: /^[\x20-\x7e]{1,60}$/, hint: 'has to be 1 to 60 printable characters' };
const MAC = {
  pattern: /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/,
  hint: 'has to look like 52:54:00:12:34:56, in lower case',
};
const UUID = {
  pattern: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  hint: 'has to be a UUID in lower case',
};
/** It names the disk's file, and the guest sees it; virtio cuts it after 20. */
const DISK_SERIAL = {
  pattern: /^[a-z0-9][a-z0-9-]{0,19}$/,
  hint: 'has to be 1 to 20 of a-z, 0-9 and "-"',
};
const SIZES = { MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };
const SPEEDS = { Mbit: 1e6, Gbit: 1e9 };
const PROTOCOLS: readonly ['redfish', 'ipmi'] = ['redfish', 'ipmi'];
const DISK_KINDS: readonly ['ssd', 'hdd', 'nvme'] = ['ssd', 'hdd', 'nvme'];

const HARDWARE_KEYS = [
  'vendor',
  'model',
  'serial_number',
  'uuid',
  'bios_version',
  'bmc_version',
  'bmc_mac',
  'processors',
  'memory',
  'disks',
  'nics',
];
const SERVER_KEYS = ['name', 'unit', 'power_feeds', 'bmc', ...HARDWARE_KEYS];
/** These tell servers apart: a default for all would make them twins. */
const OWN_KEYS = new Set(['serial_number', 'uuid', 'bmc_mac']);
const DEFAULT_KEYS = HARDWARE_KEYS.filter((key) => !OWN_KEYS.has(key));

/** Throws invalid_argument RACK_INVALID with line and path of everything that is wrong. */
export const readRackFile = (file: string): Rack => {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw invalidArgument('RACK_INVALID', `Cannot read the rack file "${file}"`, { cause });
  }
  return parseRack(text, file);
};

export const parseRack = (text: string, name: string): Rack =>
  readCheckedYaml({ text, name, reason: 'RACK_INVALID' }, (value, problems) => {
    const read = yamlReaders(problems);
    const top = read.object(value, [], ['site', 'rack', 'power_feeds', 'defaults', 'servers']);
    const rack = read.text(top.rack, ['rack'], NAME);
    const powerFeeds = read
      .list(top.power_feeds ?? [], ['power_feeds'])
      .map((feed, index) => read.text(feed, ['power_feeds', index], NAME));
    const defaults = read.object(top.defaults ?? {}, ['defaults'], DEFAULT_KEYS);
    const given = read.list(top.servers, ['servers']);
    if (given.length === 0 || given.length > SERVERS_MAX) {
      problems.add(['servers'], `has to hold 1 to ${SERVERS_MAX} servers`);
    }
    const servers = given.map((one, index) => {
      const path = ['servers', index];
      const keys = read.object(one, path, SERVER_KEYS);
      return serverOf({ read, problems, path, keys, defaults, rack, powerFeeds });
    });
    refuseTwins(servers, problems);
    return { site: read.text(top.site, ['site'], NAME), rack, powerFeeds, servers };
  });

type Reading = {
  readonly read: YamlReaders;
  readonly problems: YamlProblems;
  readonly path: YamlPath;
  readonly keys: Readonly<Record<string, unknown>>;
  readonly defaults: Readonly<Record<string, unknown>>;
  readonly rack: string;
  readonly powerFeeds: readonly string[];
};

const serverOf = (reading: Reading): RackServer => {
  const { read, problems, path, keys } = reading;
  const name = read.text(keys.name, [...path, 'name'], NAME);
  const powerFeeds = read
    .list(keys.power_feeds ?? [], [...path, 'power_feeds'])
    .map((feed, index) => {
      const at = [...path, 'power_feeds', index];
      if (!reading.powerFeeds.includes(String(feed))) {
        problems.add(at, `is none of the rack's power_feeds: ${reading.powerFeeds.join(', ')}`);
      }
      return String(feed);
    });
  const unit = read.integer(keys.unit, [...path, 'unit'], UNITS_MAX);
  const bmc = read.word(keys.bmc ?? 'redfish', [...path, 'bmc'], PROTOCOLS);
  return { hardware: hardwareOf(reading, name), unit, powerFeeds, bmc };
};

const hardwareOf = (reading: Reading, name: string): LabHardware => {
  const base = labHardware(name, reading.rack);
  const { read } = reading;
  const pick = <T>(key: string, otherwise: T, make: (value: unknown, path: YamlPath) => T): T => {
    if (reading.keys[key] !== undefined) return make(reading.keys[key], [...reading.path, key]);
    const shared = reading.defaults[key];
    return shared === undefined ? otherwise : make(shared, ['defaults', key]);
  };
  const text = (key: string, otherwise: string, rule = TEXT): string =>
    pick(key, otherwise, (value, path) => read.text(value, path, rule));
  const each = <T>(make: (value: unknown, path: YamlPath, index: number) => T) => {
    return (value: unknown, path: YamlPath): readonly T[] =>
      read.list(value, path).map((one, index) => make(one, [...path, index], index));
  };
  return {
    name,
    vendor: text('vendor', base.vendor),
    model: text('model', base.model),
    serialNumber: text('serial_number', base.serialNumber),
    uuid: text('uuid', base.uuid, UUID),
    biosVersion: text('bios_version', base.biosVersion),
    bmcVersion: text('bmc_version', base.bmcVersion),
    bmcMac: text('bmc_mac', base.bmcMac, MAC),
    processors: pick('processors', base.processors, each(processorOf(read))),
    memory: pick('memory', base.memory, each(memoryOf(read))),
    disks: pick('disks', base.disks, each(diskOf(read, base))),
    nics: pick('nics', base.nics, each(nicOf(read, base))),
  };
};

const processorOf = (read: YamlReaders) => (value: unknown, path: YamlPath) => {
  const keys = read.object(value, path, ['model', 'cores', 'threads']);
  const cores = read.integer(keys.cores, [...path, 'cores'], 64);
  return {
    model: read.text(keys.model, [...path, 'model'], TEXT),
    cores,
    threads: read.integer(keys.threads ?? cores, [...path, 'threads'], 128),
  };
};

const memoryOf = (read: YamlReaders) => (value: unknown, path: YamlPath) => {
  const keys = read.object(value, path, ['label', 'size']);
  return {
    label: read.text(keys.label, [...path, 'label'], TEXT),
    sizeBytes: read.amount(keys.size, [...path, 'size'], SIZES),
  };
};

const diskOf =
  (read: YamlReaders, base: LabHardware) =>
  (value: unknown, path: YamlPath, index: number): LabDisk => {
    const keys = read.object(value, path, ['label', 'model', 'serial_number', 'size', 'kind']);
    const made = `d${index}${base.serialNumber.slice(2).toLowerCase()}`;
    return {
      label: read.text(keys.label, [...path, 'label'], TEXT),
      model: read.text(keys.model ?? 'Virtual Disk', [...path, 'model'], TEXT),
      serialNumber: read.text(keys.serial_number ?? made, [...path, 'serial_number'], DISK_SERIAL),
      sizeBytes: read.amount(keys.size, [...path, 'size'], SIZES),
      kind: read.word(keys.kind ?? 'ssd', [...path, 'kind'], DISK_KINDS),
    };
  };

const nicOf =
  (read: YamlReaders, base: LabHardware) => (value: unknown, path: YamlPath, index: number) => {
    const keys = read.object(value, path, ['label', 'mac', 'speed']);
    const last = (index + 1).toString(16).padStart(2, '0');
    const made = `${base.bmcMac.slice(0, -2)}${last}`;
    return {
      label: read.text(keys.label, [...path, 'label'], TEXT),
      mac: read.text(keys.mac ?? made, [...path, 'mac'], MAC),
      speedBitsPerSecond: read.amount(keys.speed ?? '10Gbit', [...path, 'speed'], SPEEDS),
    };
  };

const refuseTwins = (servers: readonly RackServer[], problems: YamlProblems): void => {
  const seen = new Map<string, string>();
  const take = (what: string, value: string, path: YamlPath, owner: string): boolean => {
    const key = `${what} ${value}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, owner);
    else if (value !== '') problems.add(path, `${what} ${value} is already that of ${first}`);
    return first === undefined;
  };
  for (const [index, { hardware, unit }] of servers.entries()) {
    const path = ['servers', index];
    const { name, uuid, serialNumber, bmcMac, nics } = hardware;
    take('unit', String(unit), [...path, 'unit'], name);
    // Of two with one name all that follows from it is the same too.
    if (!take('name', name, [...path, 'name'], name)) continue;
    take('UUID', uuid, [...path, 'uuid'], name);
    take('serial number', serialNumber, [...path, 'serial_number'], name);
    take('MAC', bmcMac, [...path, 'bmc_mac'], name);
    for (const [at, { mac }] of nics.entries()) take('MAC', mac, [...path, 'nics', at], name);
  }
};
