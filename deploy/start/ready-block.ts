import type { LabStatus } from '../lab/control-protocol.ts';

export type ReadyFacts = {
  readonly endpoint: string;
  readonly caFile: string;
  readonly caFingerprint: string;
  readonly tokenFile: string;
  readonly logFile: string;
  readonly binDir: string;
  readonly accelerator: string;
  readonly machine: 'running' | 'none';
  /** Undefined: none was wanted, or it does not run and a warning says why. */
  readonly lab: LabStatus | undefined;
  readonly warnings: readonly string[];
  /** Undefined: it stays in the foreground. */
  readonly stopCommand: string | undefined;
};

/** What a newcomer reads last: where it is, how to reach it, what to type next. */
export const readyBlock = (facts: ReadyFacts): string => {
  const host = facts.endpoint.replace(/^https:\/\//, '');
  const token = `$(cat ${facts.tokenFile})`;
  const whoami = 'runmachine.identity.v1.IdentityService/WhoAmI';
  return [
    '',
    'ready',
    '',
    `  URL          ${facts.endpoint}`,
    `  CA           ${facts.caFile}`,
    `               SHA-256 ${facts.caFingerprint}`,
    `  admin token  ${facts.tokenFile} (only you can read it)`,
    `  log          ${facts.logFile}`,
    `  guests       ${facts.accelerator}`,
    ...labLines(facts.lab),
    ...facts.warnings.map((warning) => `  note         ${warning}`),
    '',
    'Call it with curl or grpcurl:',
    `  curl --cacert ${facts.caFile} -H "authorization: Bearer ${token}"` +
      ` -H 'content-type: application/json' -d '{}' ${facts.endpoint}/${whoami}`,
    `  grpcurl -cacert ${facts.caFile} -H "authorization: Bearer ${token}" ${host} ${whoami}`,
    '',
    'Put runm into your path, then try it:',
    `  export PATH=${facts.binDir}:$PATH`,
    ...(facts.machine === 'running'
      ? ['  runm machine console hello         # ctrl-] leaves', '  runm machine timeline hello']
      : ['  runm whoami', '  runm status']),
    '  runm machine create demo --image lab-linux --cpus 1 --memory 256MiB --wait',
    ...(facts.machine === 'running' ? ['  runm machine delete hello --wait'] : []),
    ...serverLines(facts.lab),
    '',
    facts.stopCommand === undefined
      ? 'Ctrl-C stops it.'
      : `It goes on in the background; \`${facts.stopCommand}\` ends it.`,
  ].join('\n');
};

const serverLines = (lab: LabStatus | undefined): readonly string[] => {
  const [first] = lab?.servers ?? [];
  if (first === undefined) return [];
  return [
    '  runm lab status',
    '  runm provider list                 # the servers of the rack, and this host',
    `  runm provider probe ${first.name.padEnd(14)} # what its controller offers`,
    '  runm machine create bench-1 --on metal --wait',
  ];
};

const labLines = (lab: LabStatus | undefined): readonly string[] => {
  if (lab === undefined) return [];
  const names = lab.servers.map(({ name }) => name).join(' ');
  const why = lab.machines === 'qemu' ? 'off until powered' : `simulated: ${lab.why}`;
  return [
    `  lab          rack ${lab.rack}: ${names} (${why})`,
    ...lab.servers.map(
      ({ name, redfish, ipmi }) => `               ${name}  ${redfish}  ipmi ${ipmi}`,
    ),
  ];
};
