import type { BenchOptions, Measured } from '../bench.ts';
import { type Child, startChild } from '../child.ts';
import { median, quantile } from '../median.ts';
import type { BatchReport } from '../subjects/claim-batch.ts';
import { startClaimers } from './claimers.ts';
import { meterCpu } from './cpu-meter.ts';
import { fleetOf, SERVING_LIMIT_MS, sizeUpTo, writePast } from './load.ts';
import { profiled } from './profiled.ts';
import { rawRate, watchCommits } from './raw-loop.ts';
import { startSite } from './site.ts';

const SIZE = 100_000;
const CALLERS = 8;

/** BatchCreateClaims of 64, beside a loop that only puts what those commits put. */
export const batch = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const fleet = fleetOf(sizeUpTo(SIZE, options));
  await using site = await startSite({ fleet, store: 'etcd', bench: options });
  await writePast(site, options);
  await using scheduler = await site.startScheduler();
  await using callers = startChild('subjects/claim-batch.ts');
  await callers.ask('connect', { pem: site.callerPem, address: scheduler.address });
  {
    await using first = await startClaimers(site, [scheduler], 2);
    await first.firstClaim(SERVING_LIMIT_MS);
  }
  const turnMs = options.quick ? 800 : 2_000;
  await runFor(callers, turnMs);
  await using commits = watchCommits(site.coordination());
  await runFor(callers, turnMs);
  const captured = await commits.end();
  const ours: number[] = [];
  const raw: number[] = [];
  const latencies: number[] = [];
  const turns = async () => {
    for (let turn = 0; turn < (options.quick ? 2 : 5); turn += 1) {
      options.signal.throwIfAborted();
      const spent = await meterCpu({ site, scheduler, callers: [callers] });
      const { claims, elapsedMs, latencies: took } = await runFor(callers, turnMs);
      const cpu = await spent(claims);
      ours.push((claims * 1000) / elapsedMs);
      latencies.push(...took);
      raw.push(await rawRate(site.coordination(), captured, turnMs));
      options.note(
        `${fleet.size}: ${Math.round(ours.at(-1) ?? 0)} claims/s in batches, ` +
          `raw ${Math.round(raw.at(-1) ?? 0)} claims/s; ${cpu}`,
      );
    }
  };
  await profiled(scheduler, { options, name: `batch-${fleet.size}` }, turns);
  options.note(`${fleet.size}: a batch has its p99 at ${quantile(latencies, 0.99).toFixed(1)} ms`);
  const unit = 'claims/s';
  const samples = ours.length;
  return [
    { figure: `batch_claims@${fleet.size}`, value: median(ours), unit, samples },
    {
      figure: `batch_claims_beside_raw@${fleet.size}`,
      value: median(ours),
      limit: median(raw),
      limitCommand: 'npm run bench -- claims --only batch',
      unit,
      samples,
    },
  ];
};

const runFor = (callers: Child, durationMs: number): Promise<BatchReport> =>
  callers.ask<BatchReport>('run', { callers: CALLERS, durationMs }, durationMs + 60_000);
