import { systemClock } from '../../../services/runtime/clock.ts';
import type { BenchOptions } from '../bench.ts';
import { createFleet } from '../fleet/fleet.ts';
import { recordsOf } from '../fleet/records.ts';
import type { Site } from './site.ts';

export const CLIENTS = 64;
/** What each claimer holds all the time. */
export const HELD_EACH = 2;
export const SERVING_LIMIT_MS = 600_000;
const FILL = 0.8;
const SEED = 20_261_126;

export const fleetOf = (size: number) => ({ size, seed: SEED });

/** That size, or the largest that was asked for when all are smaller. */
export const sizeUpTo = (size: number, { sizes }: BenchOptions): number =>
  Math.min(size, Math.max(...sizes));

/** Machines of one claim of the past: a million providers are held by some 200 000 claims. */
const machinesPerClaim = (size: number): number => (size > 200_000 ? 4 : 1);

/** Opens every provider and claims most; the claimers' own claims bring it to 80 %. */
export const writePast = async (
  site: Site,
  { note }: BenchOptions,
  { bookings = false }: { readonly bookings?: boolean } = {},
): Promise<void> => {
  const fleet = createFleet(site.fleet);
  const fill = FILL - Math.min(0.2, (CLIENTS * HELD_EACH) / fleet.size);
  const startMs = performance.now();
  const written = await site.write(
    recordsOf(fleet, {
      fill,
      machinesPerClaim: machinesPerClaim(fleet.size),
      bookings,
      nowMs: systemClock.now().getTime(),
    }),
  );
  const seconds = (performance.now() - startMs) / 1000;
  note(`${fleet.size} providers: ${written} records written in ${seconds.toFixed(1)} s`);
};
