/**
 * A fleet as a process of its own: `node deploy/lab/fleet-main.ts --help`. Started by another
 * process with a channel, it tells by it where it listens and what it weighs.
 */
import { systemClock } from '../../services/runtime/clock.ts';
import { isDomainError } from '../../services/runtime/errors.ts';
import { systemRandom } from '../../services/runtime/random.ts';
import { untilAborted } from '../until-aborted.ts';
import { ensureCredentials } from './credentials.ts';
import { startFleet } from './fleet.ts';
import { FLEET_HELP, parseFleetOptions } from './fleet-options.ts';

export type FleetReady = {
  readonly fleet: 'ready';
  readonly count: number;
  /** "http://127.x.y.z:port" of the first. */
  readonly redfish: string;
  readonly ipmi: string | undefined;
  readonly bytesPerBmc: number;
};

const main = async (): Promise<number> => {
  const options = parseFleetOptions(process.argv.slice(2));
  if (options === 'help') {
    console.log(FLEET_HELP);
    return 0;
  }
  const ended = new AbortController();
  const end = (): void => ended.abort();
  process.on('SIGTERM', end).on('SIGINT', end).on('disconnect', end);
  const credentials = ensureCredentials(options.credentialsFile, systemRandom);
  const beforeBytes = process.memoryUsage().rss;
  const fleet = await startFleet(
    { ...options, credentials },
    { clock: systemClock, random: systemRandom },
  );
  // All of them now, so that what the fleet weighs is known before it is measured with.
  for (let index = 0; index < fleet.count; index += 1) fleet.bmcOf(index);
  const bytesPerBmc = Math.round((process.memoryUsage().rss - beforeBytes) / fleet.count);
  const { count } = fleet;
  const [redfish, ipmi] = [fleet.redfishOf(0), fleet.ipmiOf(0)];
  const ready: FleetReady = { fleet: 'ready', count, redfish, ipmi, bytesPerBmc };
  process.send?.(ready);
  console.log(
    `${count} controllers from ${redfish}${ipmi === undefined ? '' : `, ipmi ${ipmi}`} on`,
  );
  console.log(`  to ${fleet.redfishOf(count - 1)}; credentials ${options.credentialsFile}`);
  console.log(`  memory: ${(bytesPerBmc / 1024).toFixed(1)} KiB per controller`);
  for (const [fault, share] of options.faults) console.log(`  ${share} of them: ${fault}`);
  await untilAborted(ended.signal);
  console.log(`${fleet.requests()} requests were answered`);
  await fleet.close();
  return 0;
};

const tellRefusal = (error: unknown): number => {
  console.error(`the fleet cannot start: ${error instanceof Error ? error.message : error}`);
  console.error('what to do: node deploy/lab/fleet-main.ts --help tells its options');
  if (!isDomainError(error)) console.error(error);
  return 1;
};

process.exit(await main().catch(tellRefusal));
