import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parseRack, readRackFile } from '../../../deploy/lab/rack-description.ts';

const RACK = join(import.meta.dirname, '../../../deploy/lab/rack.yaml');

const refusal = (text: string): string => {
  try {
    parseRack(text, 'my.yaml');
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return 'nothing was refused';
};

test('the rack of the repository has three servers that differ and stay the same', (t) => {
  const rack = readRackFile(RACK);
  t.deepEqual(
    rack.servers.map(({ hardware, unit }) => [hardware.name, unit]),
    [
      ['r1u1', 1],
      ['r1u2', 2],
      ['r1u3', 3],
    ],
  );
  t.deepEqual(parseRack(readFileSync(RACK, 'utf8'), 'again'), rack);
  const [first] = rack.servers;
  t.is(first?.hardware.memory[0]?.sizeBytes, 128 * 1024 ** 2);
  t.is(first?.hardware.disks[0]?.serialNumber.length, 12);
  t.deepEqual(first?.powerFeeds, ['feed-a']);
  const macs = rack.servers.flatMap(({ hardware }) => [
    hardware.bmcMac,
    ...hardware.nics.map(({ mac }) => mac),
  ]);
  t.is(new Set(macs).size, 9);
});

test('what is wrong in a rack is told with its line and its path, all at once', (t) => {
  const text = `site: here
rack: r1
power_feeds: [a]
defaults:
  memory:
    - { label: A1, size: 128 }
  colour: red
servers:
  - name: one
    unit: 1
    power_feeds: [b]
  - name: one
    unit: 99
    disks:
      - label: Disk 0
        size: 1GiB
        kind: tape
  - unit: 3
    bmc_mac: 52:54:00:AA:BB:CC
`;
  t.deepEqual(refusal(text).split('\n'), [
    'my.yaml:6: defaults.memory[0].size: has to be a number with one of MiB, GiB, TiB',
    'my.yaml:7: defaults.colour: is not known; known keys: vendor, model, bios_version, ' +
      'bmc_version, processors, memory, disks, nics',
    "my.yaml:11: servers[0].power_feeds[0]: is none of the rack's power_feeds: a",
    'my.yaml:12: servers[1].name: name one is already that of one',
    'my.yaml:13: servers[1].unit: has to be 1 to 60',
    'my.yaml:13: servers[1].unit: unit 1 is already that of one',
    'my.yaml:17: servers[1].disks[0].kind: has to be one of ssd, hdd, nvme',
    'my.yaml:18: servers[2].name: is missing',
    'my.yaml:19: servers[2].bmc_mac: has to look like 52:54:00:12:34:56, in lower case',
  ]);
});

const wrong = test.macro({
  exec: (t, text: string, expected: RegExp) => t.regex(refusal(text), expected),
  title: (_, text: string) => `refused: ${JSON.stringify(text.slice(0, 60))}`,
});

test(wrong, '', /my\.yaml:1: document: has to be a mapping/);
test(wrong, 'site: [', /^my\.yaml:1: .*(?:flow|sequence)/i);
test(wrong, 'site: s\nrack: r\nservers: []\n', /my\.yaml:3: servers: has to hold 1 to 64 servers/);
test(wrong, 'a: 1\n'.repeat(300_000), /too large/);
test(wrong, 'servers:\n  - 5\n', /my\.yaml:2: servers\[0\]: has to be a mapping/);
