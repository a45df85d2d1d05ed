import { statfsSync } from 'node:fs';
import { availableParallelism, hostname, totalmem } from 'node:os';
import { create } from '@bufbuild/protobuf';
import { type HostFacts, HostFactsSchema } from '../../gen/runmachine/agent/v1/agent_pb.ts';

/**
 * What this host has. `guestsDir` is where guests' disks lie; the accelerator was found by a trial.
 */
export const readHostFacts = (
  guestsDir: string,
  accelerator: { readonly name: string; readonly reason: string },
): HostFacts => {
  const disk = statfsSync(guestsDir, { bigint: true });
  return create(HostFactsSchema, {
    hostname: hostname().slice(0, 256),
    architecture: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
    cpuThreads: availableParallelism(),
    memoryBytes: BigInt(totalmem()),
    diskBytes: disk.blocks * disk.bsize,
    accelerator: accelerator.name,
    acceleratorReason: accelerator.reason.slice(0, 1024),
  });
};
