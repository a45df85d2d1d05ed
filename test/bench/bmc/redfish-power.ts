import type { BenchOptions, Measured } from '../bench.ts';
import { median } from '../median.ts';
import { type RedfishFleet, startRedfishFleet } from './redfish-fleet.ts';

const SIZES = [1_000, 10_000];
const SAMPLES = 3;

/**
 * Power of every controller of a fleet, from nothing: reached, signed in, asked what it offers,
 * read, signed out. Beside it the same number of calls by the HTTP library alone.
 */
export const redfishPower = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const measured: Measured[] = [];
  for (const count of SIZES.filter((size) => options.sizes.includes(size))) {
    await using fleet = await startRedfishFleet(count);
    const samples = count > 1_000 || options.quick ? 1 : SAMPLES;
    const cold: number[] = [];
    const bare: number[] = [];
    let calls = 0;
    for (let sample = 0; sample < samples; sample += 1) {
      options.signal.throwIfAborted();
      const before = await fleet.requests();
      cold.push(await fleet.sweep('coldPower'));
      calls = Math.round(((await fleet.requests()) - before) / count);
      bare.push(await fleet.sweep('bare', { calls }));
    }
    const [driver, controllers] = await cpuOfSweep(fleet);
    options.note(
      `${count}: CPU of another sweep: driver ${driver} s, controllers ${controllers} s`,
    );
    options.note(
      `${count}: ${calls} calls each; by the library alone ${median(bare).toFixed(2)} s`,
    );
    await fleet.sweep('keep');
    const kept = await fleet.sweep('keptPower');
    await fleet.sweep('letGo');
    options.note(`${count}: over lines that are kept, 1 call each, ${kept.toFixed(2)} s`);
    const limitCommand = 'npm run bench -- bmc --only redfish-power';
    measured.push({
      ...{ figure: `redfish_power_sweep@${count}`, value: median(cold), unit: 's', samples },
      ...{ limit: median(bare), limitCommand },
    });
  }
  return measured;
};

const cpuOfSweep = async (fleet: RedfishFleet): Promise<readonly string[]> => {
  const before = await fleet.cpuUs();
  await fleet.sweep('coldPower');
  const after = await fleet.cpuUs();
  return after.map((us, at) => ((us - (before[at] ?? 0)) / 1_000_000).toFixed(2));
};
