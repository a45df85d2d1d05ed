/**
 * What a state or event of a sensor means (IPMI 2.0 §42, tables 42-1 to 42-3), in the words of the
 * tables, shortened, with a severity of our own where the tables have none.
 */
export type Meaning = {
  readonly text: string;
  readonly severity: 'ok' | 'warning' | 'critical';
};

const ok = (text: string): Meaning => ({ text, severity: 'ok' });
const warning = (text: string): Meaning => ({ text, severity: 'warning' });
const critical = (text: string): Meaning => ({ text, severity: 'critical' });

/** By event/reading type; the offset is the index. 01h are thresholds. */
const GENERIC: Readonly<Record<number, readonly Meaning[]>> = {
  1: [
    ...[warning('lower non-critical going low'), ok('lower non-critical going high')],
    ...[critical('lower critical going low'), critical('lower critical going high')],
    ...[critical('lower non-recoverable going low'), critical('lower non-recoverable going high')],
    ...[ok('upper non-critical going low'), warning('upper non-critical going high')],
    ...[critical('upper critical going low'), critical('upper critical going high')],
    ...[critical('upper non-recoverable going low'), critical('upper non-recoverable going high')],
  ],
  2: [ok('idle'), ok('active'), ok('busy')],
  3: [ok('state deasserted'), ok('state asserted')],
  4: [ok('no failure predicted'), warning('failure predicted')],
  5: [ok('limit not exceeded'), critical('limit exceeded')],
  6: [ok('performance met'), warning('performance lags')],
  7: [
    ...[ok('ok'), warning('non-critical from ok'), critical('critical from less severe')],
    ...[critical('non-recoverable from less severe'), warning('non-critical from more severe')],
    ...[critical('critical from non-recoverable'), critical('non-recoverable')],
    ...[ok('monitor'), ok('informational')],
  ],
  8: [ok('device absent'), ok('device present')],
  9: [ok('device disabled'), ok('device enabled')],
  10: [
    ...[ok('running'), ok('in test'), ok('power off'), ok('on line'), ok('off line')],
    ...[ok('off duty'), warning('degraded'), ok('power save'), warning('install error')],
  ],
  11: [
    ...[ok('fully redundant'), warning('redundancy lost'), warning('redundancy degraded')],
    ...[warning('non-redundant: sufficient resources'), warning('non-redundant: from less')],
    ...[
      critical('non-redundant: insufficient resources'),
      warning('redundancy degraded from full'),
    ],
    warning('redundancy degraded from none'),
  ],
  12: [ok('D0 power state'), ok('D1 power state'), ok('D2 power state'), ok('D3 power state')],
};

/** By sensor type, for event type 6Fh. */
const SPECIFIC: Readonly<Record<number, readonly Meaning[]>> = {
  5: [
    ...[
      warning('chassis intrusion'),
      warning('drive bay intrusion'),
      warning('I/O card intrusion'),
    ],
    ...[
      warning('processor area intrusion'),
      warning('LAN leash lost'),
      warning('unauthorized dock'),
    ],
    warning('fan area intrusion'),
  ],
  6: [
    ...[warning('secure mode violation'), warning('user password violation')],
    ...[warning('setup password violation'), warning('network boot password violation')],
    ...[warning('other password violation'), warning('out-of-band password violation')],
  ],
  7: [
    ...[critical('internal error'), critical('thermal trip'), critical('self-test failed')],
    ...[
      critical('hang in POST'),
      critical('initialization failed'),
      warning('configuration error'),
    ],
    ...[critical('uncorrectable machine check'), ok('present'), warning('disabled')],
    ...[ok('terminator present'), warning('throttled'), critical('machine check exception')],
    warning('correctable machine check error'),
  ],
  8: [
    ...[ok('present'), critical('failure'), warning('predictive failure'), critical('input lost')],
    ...[warning('input lost or out of range'), warning('input out of range')],
    ...[warning('configuration error'), ok('standby')],
  ],
  9: [
    ...[ok('power off'), ok('power cycle'), ok('240 VA power down'), ok('interlock power down')],
    ...[critical('AC lost'), critical('soft power control failed'), critical('failure')],
    warning('predictive failure'),
  ],
  12: [
    ...[warning('correctable ECC error'), critical('uncorrectable ECC error'), critical('parity')],
    ...[warning('scrub failed'), warning('disabled'), warning('correctable ECC log limit reached')],
    ...[ok('present'), warning('configuration error'), ok('spare'), warning('throttled')],
    critical('critical overtemperature'),
  ],
  13: [
    ...[ok('present'), critical('drive fault'), warning('predictive failure'), ok('hot spare')],
    ...[ok('consistency check'), critical('in critical array'), critical('in failed array')],
    ...[warning('rebuild'), warning('rebuild aborted')],
  ],
  15: [critical('firmware error'), critical('firmware hang'), ok('firmware progress')],
  16: [
    ...[warning('correctable memory error logging disabled'), warning('event logging disabled')],
    ...[ok('log area cleared'), warning('all event logging disabled'), warning('log full')],
    warning('log almost full'),
  ],
  17: [
    ...[critical('BIOS reset'), critical('OS reset'), critical('OS shut down')],
    ...[critical('OS power down'), critical('OS power cycle'), critical('OS NMI')],
    ...[critical('OS expired'), warning('OS pre-timeout interrupt')],
  ],
  18: [
    ...[
      ok('system reconfigured'),
      ok('OEM system boot'),
      critical('undetermined hardware failure'),
    ],
    ...[ok('entry added to auxiliary log'), ok('PEF action'), ok('timestamp clock synchronized')],
  ],
  19: [
    ...[critical('front panel NMI'), critical('bus timeout'), critical('I/O channel check NMI')],
    ...[critical('software NMI'), critical('PCI PERR'), critical('PCI SERR')],
    ...[critical('EISA fail safe timeout'), warning('bus correctable error')],
    ...[critical('bus uncorrectable error'), critical('fatal NMI'), critical('bus fatal error')],
    warning('bus degraded'),
  ],
  20: [ok('power button pressed'), ok('sleep button pressed'), ok('reset button pressed')],
  29: [
    ...[ok('power up'), ok('hard reset'), ok('warm reset'), ok('PXE boot requested')],
    ...[ok('automatic boot to diagnostic'), ok('software reset'), ok('software warm reset')],
    ok('restart'),
  ],
  30: [
    ...[warning('no bootable media'), warning('non-bootable disk in drive')],
    ...[warning('PXE server not found'), warning('invalid boot sector'), warning('boot timeout')],
  ],
  31: [
    ...[ok('A: boot completed'), ok('C: boot completed'), ok('PXE boot completed')],
    ...[ok('diagnostic boot completed'), ok('CD-ROM boot completed'), ok('ROM boot completed')],
    ok('boot completed'),
  ],
  32: [
    ...[critical('stop during load'), critical('run-time stop'), ok('graceful stop')],
    ...[
      ok('graceful shutdown'),
      warning('soft shutdown by policy'),
      warning('agent not responding'),
    ],
  ],
  33: [
    ...[critical('fault'), ok('identify'), ok('device installed'), ok('ready for installation')],
    ...[ok('ready for removal'), ok('slot power off'), ok('removal requested')],
    ...[ok('interlock'), ok('slot disabled'), ok('holds spare')],
  ],
  34: [
    ...[ok('S0/G0 working'), ok('S1 sleeping'), ok('S2 sleeping'), ok('S3 sleeping')],
    ...[ok('S4 suspended'), ok('S5/G2 soft-off'), ok('S4/S5 soft-off'), ok('G3 mechanical off')],
  ],
  35: [
    warning('timer expired'),
    critical('hard reset'),
    critical('power down'),
    critical('power cycle'),
  ],
  37: [ok('entity present'), warning('entity absent'), ok('entity disabled')],
  40: [
    ...[warning('sensor access degraded'), warning('controller access degraded')],
    ...[critical('controller off-line'), critical('controller unavailable')],
    ...[warning('sensor failure'), critical('FRU failure')],
  ],
  41: [warning('battery low'), critical('battery failed'), ok('battery present')],
  42: [
    ok('session activated'),
    ok('session deactivated'),
    warning('invalid user name or password'),
  ],
  43: [
    ...[ok('hardware change detected'), ok('firmware change detected')],
    ...[warning('hardware incompatible'), warning('firmware incompatible')],
  ],
};

const SPECIFIC_EVENT_TYPE = 0x6f;

/** Undefined: of the vendor, or not in the tables. */
export const meaningOf = (
  eventType: number,
  sensorType: number,
  offset: number,
): Meaning | undefined => {
  const table = eventType === SPECIFIC_EVENT_TYPE ? SPECIFIC[sensorType] : GENERIC[eventType];
  return table?.[offset];
};

/** Table 42-3. */
const SENSOR_TYPES: readonly string[] = [
  ...['reserved', 'temperature', 'voltage', 'current', 'fan', 'physical security'],
  ...['platform security', 'processor', 'power supply', 'power unit', 'cooling device'],
  ...['other sensor', 'memory', 'drive slot', 'POST memory resize', 'system firmware'],
  ...['event logging', 'watchdog', 'system event', 'critical interrupt', 'button', 'module'],
  ...['microcontroller', 'add-in card', 'chassis', 'chip set', 'other FRU', 'cable', 'terminator'],
  ...['system boot', 'boot error', 'OS boot', 'OS stop', 'slot', 'ACPI power state', 'watchdog'],
  ...['platform alert', 'entity presence', 'monitor', 'LAN', 'management subsystem', 'battery'],
  ...['session audit', 'version change', 'FRU state'],
];

export const sensorTypeName = (sensorType: number): string =>
  SENSOR_TYPES[sensorType] ?? `sensor type ${sensorType.toString(16)}h`;
