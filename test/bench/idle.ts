import { systemClock } from '../../services/runtime/clock.ts';
import { temporaryDir } from '../support/temporary-dir.ts';
import type { Bench } from './bench.ts';
import { startChild } from './child.ts';
import { median } from './median.ts';
import { rssBytesOf, startProduct } from './product.ts';

export const idle: Bench = {
  summary:
    'memory of npm start without guests: control plane, agent and coordination in one process',
  limitMs: 300_000,
  run: async (options) => {
    using dir = temporaryDir();
    await using product = await startProduct(dir.path, options);
    await using bare = startChild('limits/idle-node.ts');
    const limit = await bare.ask<number>('rssBytes');
    const seen: number[] = [];
    const samples = options.quick ? 3 : 10;
    for (let at = 0; at < samples; at += 1) {
      await systemClock.sleep(options.quick ? 2_000 : 6_000, options.signal);
      seen.push(rssBytesOf(product.pid));
      options.note(`${Math.round((seen.at(-1) ?? 0) / 1024 ** 2)} MiB`);
    }
    return [
      {
        figure: 'idle_rss',
        value: median(seen),
        unit: 'B',
        limit,
        limitCommand: 'node test/bench/limits/idle-node.ts',
        samples,
      },
    ];
  },
};
