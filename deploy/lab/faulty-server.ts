/**
 * A server as it looks through a controller with a fault: the faults that concern what is said of
 * it and what is done to it, the same for each protocol in front. Those of the wire (slow, hang,
 * 503, flap, html) are the protocol's own.
 */
import type { LabFaults, LabPower, LabPowerChange, LabServer } from './server-port.ts';

export const faultyServer = (server: LabServer, faults: LabFaults): LabServer => {
  const isLost = (): boolean => faults.current() === 'lost-write';
  const isWrong = (): boolean => faults.current() === 'wrong-state';
  const unlessLost =
    <Value extends unknown[]>(write: (...value: Value) => void) =>
    (...value: Value): void => {
      if (!isLost()) write(...value);
    };
  return {
    ...server,
    power: () => (faults.current() === 'lie' ? OPPOSITE[server.power()] : server.power()),
    changePower: async (change) => {
      if (!isLost()) await server.changePower(isWrong() ? WRONG[change] : change);
    },
    setBoot: unlessLost((boot) =>
      server.setBoot(isWrong() ? { ...boot, device: wrongDevice(boot.device) } : boot),
    ),
    setMedia: unlessLost((url) => server.setMedia(isWrong() ? undefined : url)),
    setBios: unlessLost(server.setBios),
    setIndicator: unlessLost((lit) => server.setIndicator(isWrong() ? !lit : lit)),
    clearLog: unlessLost(server.clearLog),
    putAccount: unlessLost((account) =>
      server.putAccount(isWrong() ? { ...account, enabled: false } : account),
    ),
    removeAccount: unlessLost(server.removeAccount),
  };
};

const OPPOSITE: Readonly<Record<LabPower, LabPower>> = {
  on: 'off',
  off: 'on',
  turning_on: 'turning_off',
  turning_off: 'turning_on',
};

/** What a controller does that mixes up its wires. */
const WRONG: Readonly<Record<LabPowerChange, LabPowerChange>> = {
  on: 'off',
  off: 'reset',
  soft_off: 'reset',
  soft_reset: 'off',
  reset: 'off',
  cycle: 'off',
  nmi: 'reset',
};

const wrongDevice = (device: 'none' | 'network' | 'disk' | 'cdrom' | 'setup') =>
  device === 'setup' ? 'disk' : 'setup';
