import { createHash } from 'node:crypto';
import type { LabSensor } from './server-port.ts';

type Kind = {
  readonly name: string;
  readonly kind: LabSensor['kind'];
  readonly off: number;
  readonly on: number;
  /** How far it swings around that while on. */
  readonly swing: number;
  readonly upperCritical: number;
  readonly decimals: number;
};

const SENSORS: readonly Kind[] = [
  sensor('Inlet Temp', 'temperature', { off: 21, on: 23, swing: 1, upperCritical: 47 }),
  sensor('CPU1 Temp', 'temperature', { off: 24, on: 52, swing: 6, upperCritical: 95 }),
  sensor('Fan1', 'fan', { off: 0, on: 7_200, swing: 300, upperCritical: 18_000 }),
  sensor('Fan2', 'fan', { off: 0, on: 7_200, swing: 300, upperCritical: 18_000 }),
  sensor('P12V', 'voltage', { off: 0, on: 12.1, swing: 0.1, upperCritical: 13.2 }, 2),
  sensor('P3V3', 'voltage', { off: 0, on: 3.3, swing: 0.03, upperCritical: 3.6 }, 2),
  sensor('PSU1 Power', 'power', { off: 8, on: 140, swing: 25, upperCritical: 750 }),
];

const PERIOD_MS = 120_000;

/** The same server shows the same at the same time, and no two swing alike. */
export const readSensors = (
  serialNumber: string,
  isOn: boolean,
  nowMs: number,
): readonly LabSensor[] => {
  const seed = createHash('sha256').update(serialNumber).digest();
  return SENSORS.map(({ name, kind, upperCritical, ...of }, index) => {
    const phase = (seed.readUInt16BE((index * 2) % 30) / 65_536 + nowMs / PERIOD_MS) * 2 * Math.PI;
    const exact = isOn ? of.on + of.swing * Math.sin(phase) : of.off;
    return { name, kind, upperCritical, value: Number(exact.toFixed(of.decimals)) };
  });
};

function sensor(
  name: string,
  kind: LabSensor['kind'],
  amounts: Pick<Kind, 'off' | 'on' | 'swing' | 'upperCritical'>,
  decimals = 0,
): Kind {
  return { name, kind, decimals, ...amounts };
}
