import { spawn } from 'node:child_process';
import { findProgram, type Program } from '../../../deploy/tools/program.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { prepare } from '../../runner/prepare.ts';
import { SIM_CREDENTIALS, startIpmiSim } from '../../support/ipmi-sim.ts';
import { testToolsDir } from '../../tools-dir.ts';
import { type BenchOptions, CannotMeasure, type Measured } from '../bench.ts';
import { type Child, startChild } from '../child.ts';
import { paired } from '../paired.ts';

/** OpenIPMI's simulators, each a process with a loopback address of its own. */
const COUNT = 200;
const PORT = 6230;
const STARTED_AT_ONCE = 16;
const SAMPLES = 5;
const ROUNDS = 25;
/** More do not make it faster on two cores. */
const PROCESSES_AT_ONCE = 8;
const LIMIT_COMMAND = 'xargs -P 8 ipmitool -I lanplus -C 3 -H … power status';
const SWEEP_LIMIT_MS = 300_000;

/** Power of 200 controllers that others wrote, beside what ipmitool does, a process each. */
export const ipmiPower = async (options: BenchOptions): Promise<readonly Measured[]> => {
  const programs = await programsOf(options);
  await using parts = new AsyncDisposableStack();
  const addresses = await startControllers(programs.sim, parts);
  const driver = parts.use(startChild('subjects/ipmi-sweep.ts'));
  const asked = { addresses, credentials: SIM_CREDENTIALS };
  const samples = options.quick ? 1 : SAMPLES;
  const limit = () => byProcesses(programs.tool, addresses);
  const cold = await paired({ samples, subject: () => coldRate(driver, asked), limit }, options);
  await driver.ask<number>('keep', asked, SWEEP_LIMIT_MS);
  const before = await driver.ask<number>('cpuUs');
  const kept = await paired({ samples, subject: () => keptRate(driver), limit }, options);
  const cpuUs = (await driver.ask<number>('cpuUs')) - before;
  await driver.ask<number>('letGo', {}, SWEEP_LIMIT_MS);
  const each = cpuUs / (samples * ROUNDS * COUNT);
  options.note(`${Math.round(each)} µs of the driver's CPU for a status over a kept session`);
  const common = { unit: 'statuses/s', samples, limitCommand: LIMIT_COMMAND };
  return [
    { figure: 'ipmi_power', value: kept.subject, limit: kept.limit, ...common },
    { figure: 'ipmi_power_from_nothing', value: cold.subject, limit: cold.limit, ...common },
  ];
};

const perSecond = (count: number, ms: number): number => (count * 1_000) / ms;

const coldRate = async (driver: Child, asked: object): Promise<number> =>
  perSecond(COUNT, await driver.ask<number>('cold', asked, SWEEP_LIMIT_MS));

const keptRate = async (driver: Child): Promise<number> => {
  const ms = await driver.ask<number>('statuses', { rounds: ROUNDS }, SWEEP_LIMIT_MS);
  return perSecond(COUNT * ROUNDS, ms);
};

const startControllers = async (
  program: Program,
  parts: AsyncDisposableStack,
): Promise<readonly string[]> => {
  const addresses: string[] = [];
  for (let at = 0; at < COUNT; at += STARTED_AT_ONCE) {
    const size = Math.min(STARTED_AT_ONCE, COUNT - at);
    const hosts = Array.from({ length: size }, (_, index) => `127.101.0.${at + index + 1}`);
    const sims = await Promise.all(
      // A power script would cost more than everything that is measured.
      hosts.map((host) => startIpmiSim({ program, host, port: PORT, withPower: false })),
    );
    for (const sim of sims) {
      parts.use(sim);
      addresses.push(sim.address);
    }
  }
  return addresses;
};

const byProcesses = async (program: Program, addresses: readonly string[]): Promise<number> => {
  const left = addresses[Symbol.iterator]();
  const startMs = performance.now();
  const work = async (): Promise<void> => {
    for (const address of left) await powerStatus(program, address);
  };
  await Promise.all(Array.from({ length: PROCESSES_AT_ONCE }, work));
  return perSecond(addresses.length, performance.now() - startMs);
};

const powerStatus = (program: Program, address: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const [host = '', port = ''] = address.split(':');
    const place = ['-H', host, '-p', port, '-U', SIM_CREDENTIALS.user, '-E'];
    const words = ['-I', 'lanplus', '-C', '3', ...place, 'power', 'status'];
    const child = spawn(program.path, [...program.args, ...words], {
      // Not on its command line, as people who know do it.
      env: { IPMITOOL_PASSWORD: SIM_CREDENTIALS.password, ...program.env },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`ipmitool ended with code ${code} at ${address}`));
    });
  });

const programsOf = async ({ note }: BenchOptions): Promise<{ sim: Program; tool: Program }> => {
  const toolsDir = testToolsDir();
  await prepare(['openipmi', 'ipmitool'], { toolsDir, clock: systemClock, print: note });
  const sim = findProgram('ipmi_sim', toolsDir);
  const tool = findProgram('ipmitool', toolsDir);
  if (sim !== undefined && tool !== undefined) return { sim, tool };
  throw new CannotMeasure('ipmi_sim and ipmitool could not be had');
};
