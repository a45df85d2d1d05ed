import {
  BootKind,
  type VirtualMachine,
  WantedPower,
} from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import { invalidArgument } from '../../runtime/errors.ts';
import type { Artifacts } from '../artifacts.ts';
import type { WantedGuest } from '../domain/guest-plan.ts';
import type { BootFiles, ForwardSpec, GuestPower } from '../ports.ts';

/**
 * The decision core knows neither protobuf nor enum numbers; this is where they are turned into its
 * own words.
 */
export const wantedGuest = (machine: VirtualMachine): WantedGuest => ({
  power: wantedPower(machine.power),
  bootGeneration: machine.bootGeneration,
  forceAfterMs:
    machine.forceAfter === undefined
      ? 'never'
      : Number(machine.forceAfter.seconds) * 1000 + machine.forceAfter.nanos / 1e6,
});

const wantedPower = (power: WantedPower): GuestPower => {
  if (power === WantedPower.ON) return 'on';
  if (power === WantedPower.PAUSED) return 'paused';
  if (power === WantedPower.OFF) return 'off';
  throw invalidArgument('INVALID_FIELD', `Cannot act on wanted power ${power}: it is unknown here`);
};

/** Fetches what the boot needs and names the files. */
export const bootFiles = async (
  machine: VirtualMachine,
  artifacts: Artifacts,
  signal: AbortSignal,
): Promise<BootFiles> => {
  const boot = machine.boot;
  switch (boot?.kind) {
    case BootKind.KERNEL: {
      const kernelPath = await artifacts.fetch(boot.kernelSha256, signal);
      const initrd = boot.initrdSha256 ? await artifacts.fetch(boot.initrdSha256, signal) : '';
      return {
        kind: 'kernel',
        kernelPath,
        ...(initrd ? { initrdPath: initrd } : {}),
        commandLine: boot.commandLine || 'console=ttyS0',
      };
    }
    case BootKind.DISK: {
      const basePath = await artifacts.fetch(boot.diskSha256, signal);
      return { kind: 'disk', basePath, format: boot.diskFormat === 'raw' ? 'raw' : 'qcow2' };
    }
    case BootKind.MEDIA:
      return { kind: 'media', isoPath: await artifacts.fetch(boot.mediaSha256, signal) };
    case BootKind.NETWORK:
      return { kind: 'network' };
    case BootKind.NONE:
    case BootKind.UNSPECIFIED:
    case undefined:
      return { kind: 'none' };
    default:
      throw invalidArgument('INVALID_FIELD', `Cannot boot from kind ${boot?.kind}: unknown here`);
  }
};

export const forwardSpecs = (machine: VirtualMachine): ForwardSpec[] =>
  machine.ports.map((port) => ({
    protocol: port.protocol === 'udp' ? 'udp' : 'tcp',
    hostAddress: port.hostAddress || '127.0.0.1',
    hostPort: port.hostPort,
    guestPort: port.guestPort,
  }));
