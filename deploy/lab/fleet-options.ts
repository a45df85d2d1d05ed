import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { invalidArgument } from '../../services/runtime/errors.ts';
import { faultOf, LAB_FAULTS } from './fault-switch.ts';
import type { FleetOptions } from './fleet.ts';
import type { LabFault } from './server-port.ts';

export type FleetCommand = Omit<FleetOptions, 'credentials'> & {
  /** Made when absent; 0600. */
  readonly credentialsFile: string;
};

export const FLEET_HELP = `node deploy/lab/fleet-main.ts runs thousands of controllers at once.

  --count N                how many (10000)
  --latency-ms MS          of every answer (0)
  --jitter-ms MS           up to so much more, by chance (0)
  --seed N                 of that chance, and of who has a fault (1)
  --fault FAULT=SHARE      share of the fleet that has it, 0 to 1; may be given several times:
                           ${LAB_FAULTS.join(' ')}
  --redfish-port PORT      HTTP, of all (8000)
  --ipmi-port PORT         UDP, of all (6230)
  --no-ipmi                Redfish only
  --credentials-file FILE  user and password of all (.runmachine/fleet-credentials.json)`;

/** Throws invalid_argument FLEET_OPTION_INVALID. */
export const parseFleetOptions = (argv: readonly string[]): FleetCommand | 'help' => {
  const values = parse(argv);
  if (values.help === true) return 'help';
  const number = (name: NumberName, otherwise: number, max: number): number => {
    const text = values[name] ?? String(otherwise);
    const value = Number(text);
    if (/^\d{1,9}$/.test(text) && value <= max) return value;
    throw refusal(`--${name}: "${text}" is not a number from 0 to ${max}`);
  };
  return {
    count: number('count', 10_000, 1_000_000),
    latencyMs: number('latency-ms', 0, 60_000),
    jitterMs: number('jitter-ms', 0, 60_000),
    seed: number('seed', 1, 999_999_999),
    faults: sharesOf(values.fault ?? []),
    redfishPort: number('redfish-port', 8_000, 65_535),
    ipmiPort: values['no-ipmi'] === true ? undefined : number('ipmi-port', 6_230, 65_535),
    credentialsFile: resolve(
      values['credentials-file'] ?? join('.runmachine', 'fleet-credentials.json'),
    ),
  };
};

type NumberName = 'count' | 'latency-ms' | 'jitter-ms' | 'seed' | 'redfish-port' | 'ipmi-port';

const parse = (argv: readonly string[]) => {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        count: { type: 'string' },
        'latency-ms': { type: 'string' },
        'jitter-ms': { type: 'string' },
        seed: { type: 'string' },
        fault: { type: 'string', multiple: true },
        'redfish-port': { type: 'string' },
        'ipmi-port': { type: 'string' },
        'no-ipmi': { type: 'boolean' },
        'credentials-file': { type: 'string' },
      },
    }).values;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw refusal(message.split('. ')[0] ?? message, cause);
  }
};

const sharesOf = (texts: readonly string[]): ReadonlyMap<LabFault, number> => {
  const shares = new Map<LabFault, number>();
  for (const text of texts) {
    const [word = '', share = ''] = text.split('=');
    const fault = faultOf(word);
    if (fault === undefined || !/^(?:0(?:\.\d+)?|1(?:\.0+)?)$/.test(share)) {
      throw refusal(`--fault: "${text}" is not FAULT=SHARE, for example hang=0.01`);
    }
    shares.set(fault, Number(share));
  }
  const sum = [...shares.values()].reduce((total, share) => total + share, 0);
  // Ten tenths may add up to a little more than one.
  if (sum > 1 + Number.EPSILON * 16) throw refusal('--fault: the shares are more than 1 together');
  return shares;
};

const refusal = (message: string, cause?: unknown) =>
  invalidArgument('FLEET_OPTION_INVALID', message, { cause });
