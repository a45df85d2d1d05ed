/**
 * A server of which there is nothing but its serial line: it prints a boot, then offers a shell. It
 * lives as long as its process, so after a restart of the lab it boots again.
 */
import type { Clock } from '../../services/runtime/clock.ts';
import { failedPrecondition } from '../../services/runtime/errors.ts';
import { createSerialLine } from './serial-line.ts';
import type { LabExit, LabHardware, LabMachine, LabMachineBoot } from './server-port.ts';
import { createSimulatedShell, SIMULATED_KERNEL, type SimulatedShell } from './simulated-shell.ts';

export type SimulatedMachineDeps = {
  readonly hardware: LabHardware;
  readonly clock: Clock;
  /** Of the self test and of the kernel, each; 400 where absent. */
  readonly bootStepMs?: number;
};

type Running = {
  readonly count: number;
  readonly ended: AbortController;
  shell: SimulatedShell | undefined;
};

const SHUTDOWN_MS = 200;

export const createSimulatedMachine = (deps: SimulatedMachineDeps): LabMachine => {
  const { hardware, clock } = deps;
  const bootStepMs = deps.bootStepMs ?? 400;
  let running: Running | undefined;
  let exited: (count: number, how: LabExit) => void = () => undefined;

  const decoder = new TextDecoder();
  const line = createSerialLine((bytes) => {
    const text = decoder.decode(bytes, { stream: true });
    running?.shell?.type(text);
  });
  const print = (text: string): void => line.print(Buffer.from(text));

  const end = (): void => {
    running?.ended.abort();
    running = undefined;
  };

  /** The operating system goes down by itself. */
  const leave = async (of: Running, how: 'off' | 'reset'): Promise<void> => {
    of.shell = undefined;
    const words = how === 'off' ? 'Power down' : 'Restarting system';
    print(`\r\nThe system is going down NOW!\r\n[    9.${of.count % 10}] reboot: ${words}\r\n`);
    await clock.sleep(SHUTDOWN_MS, of.ended.signal).catch(() => undefined);
    if (running !== of) return;
    end();
    exited(of.count, how);
  };

  const boot = async (of: Running, { device, media }: LabMachineBoot): Promise<void> => {
    const next = (text: string) => {
      print(text);
      return clock.sleep(bootStepMs, of.ended.signal);
    };
    await next(selfTest(hardware));
    if (device === 'setup') return print('Entering setup\r\n');
    if (device === 'network') {
      const mac = hardware.nics[0]?.mac ?? 'none';
      return print(`>>Start PXE over IPv4 on ${mac}.\r\n  PXE-E16: No valid offer received.\r\n`);
    }
    if (device === 'cdrom' && media === undefined) return print('No bootable medium\r\n');
    await next(`Booting from ${device === 'cdrom' ? media : 'disk'}\r\n`);
    print(`[    0.000000] Linux version ${SIMULATED_KERNEL} (simulated)\r\n\r\n`);
    of.shell = createSimulatedShell({
      ...{ hostname: hardware.name, print },
      leave: (outcome) => void leave(of, outcome === 'reboot' ? 'reset' : 'off'),
    });
  };

  return {
    start: async (wanted) => {
      if (running?.count === wanted.count) return;
      end();
      const started: Running = {
        ...{ count: wanted.count, ended: new AbortController(), shell: undefined },
      };
      running = started;
      void boot(started, wanted).catch(() => undefined);
    },
    kill: async () => end(),
    askPowerOff: async () => {
      if (running?.shell !== undefined) await leave(running, 'off');
    },
    wipe: async () => undefined,
    interrupt: async () => {
      if (running === undefined) {
        throw failedPrecondition('SERVER_OFF', `Server "${hardware.name}" is off`);
      }
      print('\r\nUhhuh. NMI received for unknown reason 2c on CPU 0.\r\n');
    },
    onExit: (listener) => {
      exited = listener;
    },
    serial: line.serial,
    close: async () => end(),
  };
};

const selfTest = ({ vendor, model, biosVersion, memory }: LabHardware): string => {
  const mebibytes = memory.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / 1024 ** 2;
  return `${vendor} ${model} BIOS ${biosVersion}\r\nMemory: ${mebibytes} MiB\r\n`;
};
