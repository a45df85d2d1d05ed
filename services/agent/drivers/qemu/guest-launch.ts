/**
 * Brings up the process of one boot: directory, ports, disks, token, record, qemu, in this order.
 */
import { chmod, mkdir, rm } from 'node:fs/promises';
import type { Clock } from '../../../runtime/clock.ts';
import { type Acceleration, renderCommandLine } from './command-line.ts';
import type { GuestBook, GuestEntry } from './guest-book.ts';
import { prepareDisks, prepareInitrd } from './guest-disks.ts';
import { type GuestPaths, guestPaths } from './guest-record.ts';
import { type Boot, digestOfSpec, type GuestSpec } from './guest-spec.ts';
import type { PortAllocator, PortForward } from './port-allocator.ts';
import type { Program } from './program.ts';
import type { Launch, Launched, Supervisor } from './supervisor.ts';

export type LauncherDeps = {
  readonly qemu: Program;
  readonly qemuImg: Program;
  readonly acceleration: Acceleration;
  readonly guestsDir: string;
  readonly socketsDir: string;
  readonly supervisor: Supervisor;
  readonly ports: PortAllocator;
  readonly book: GuestBook;
  readonly clock: Clock;
};

/** For who holds the guest's turn. Answers a guest that runs, just started or before. */
export type Launcher = (spec: GuestSpec, boot: Boot, signal?: AbortSignal) => Promise<GuestEntry>;

export const createLauncher =
  (deps: LauncherDeps): Launcher =>
  async (spec, boot, signal) => {
    const before = await deps.book.load(spec.name);
    if (before !== null && before.live !== null) return before;
    const paths = guestPaths(deps.guestsDir, deps.socketsDir, spec.name);
    await makeDirectories(deps, paths);
    await deps.book.reservePorts();
    const forwards = await deps.ports.allocate(spec, before?.record.forwards ?? []);
    await prepareDisks({ qemuImg: deps.qemuImg, signal }, spec, paths);
    const initrd = await prepareInitrd(spec, boot, paths);
    await removeSockets(paths);
    const entry = await deps.book.put({
      ...{ version: 1, spec, specDigest: digestOfSpec(spec), bootCounter: boot.counter, forwards },
      ...{ phase: 'launching', process: null, kernelLineAt: null, exit: null },
      launchedAt: deps.clock.now().toISOString(),
      serialLogOffsetBytes: before?.record.serialLogOffsetBytes ?? 0,
    });
    const serialLogOffsetBytes = await entry.console.beginBoot();
    const launched = await run(deps, entry, {
      ...{ name: spec.name, program: deps.qemu, outputPath: paths.output, signal },
      arguments: argumentsOf(deps, { spec, forwards, files: { ...paths, initrd } }),
    });
    const { identity } = launched;
    await deps.book.save(entry, { phase: 'launched', process: identity, serialLogOffsetBytes });
    deps.book.watch(entry, { ...launched, adopted: false });
    return entry;
  };

/** qemu refuses to listen where a dead one left its socket. */
export const removeSockets = async (paths: GuestPaths): Promise<void> => {
  await rm(paths.qmpSocket, { force: true });
  await rm(paths.serialSocket, { force: true });
};

const makeDirectories = async (deps: LauncherDeps, paths: GuestPaths): Promise<void> => {
  await mkdir(paths.directory, { recursive: true, mode: 0o700 });
  // One left half made may be open to others.
  await chmod(paths.directory, 0o700);
  await mkdir(deps.socketsDir, { recursive: true, mode: 0o700 });
};

const argumentsOf = (
  { acceleration }: LauncherDeps,
  of: { spec: GuestSpec; forwards: readonly PortForward[]; files: GuestPaths },
): string[] =>
  renderCommandLine({ guest: of.spec, acceleration, forwards: of.forwards, files: of.files });

const run = async (
  deps: LauncherDeps,
  entry: GuestEntry,
  launch: Launch & { readonly signal: AbortSignal | undefined },
): Promise<Launched> => {
  try {
    return await deps.supervisor.start(launch, launch.signal);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const at = deps.clock.now().toISOString();
    await deps.book.save(entry, { phase: 'exited', exit: { kind: 'not_started', detail, at } });
    throw error;
  }
};
