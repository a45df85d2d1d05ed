/** Probe, sensors, log, indicator, raw and rotate. */
import {
  HardwareLogEntrySchema,
  HealthSchema,
  ProbeReportSchema,
  SensorSchema,
} from '../../../../gen/runmachine/machine/v1/hardware_pb.ts';
import type { Command } from '../../command.ts';
import { confirmByName, YES } from '../../confirm.ts';
import { enumWord } from '../../format/enum-word.ts';
import { formatLocalTime } from '../../format/span.ts';
import { formatFields, formatTable, printable } from '../../format/table.ts';
import { type Shown, showList, showOne } from '../../output.ts';
import { lastSegment } from '../../resource-names.ts';
import { UsageError } from '../../usage-error.ts';
import { asked, FORCE, hardware, PROVIDER, providerName, REASON, say, slowCall } from './ask.ts';

const probed: Shown<typeof ProbeReportSchema> = {
  schema: ProbeReportSchema,
  name: ({ model }) => model,
  columns: [],
};

/** Holds no address and no secret, so that it can be shown to a vendor. */
export const probe: Command = {
  summary: 'find out what the controller of a provider offers; only reads',
  positionals: PROVIDER,
  run: async (context, args) => {
    const name = providerName(context, args);
    const { report } = await hardware(context).probeProvider({ name }, slowCall(context));
    if (report === undefined) throw new Error('the answer holds no report');
    const people = () =>
      [
        formatFields([
          ['vendor', report.vendor],
          ['model', report.model],
          ['firmware', report.firmwareVersion],
          ['quirks', report.quirks.join(' ')],
        ]),
        formatTable(
          [
            { title: 'ASPECT', value: ({ aspect }) => aspect },
            { title: 'OFFERED', value: ({ offered, driver }) => (offered ? driver : 'no') },
            { title: 'READING', value: ({ reading, problem }) => problem || reading },
            {
              title: 'TOOK',
              value: (one) => (one.milliseconds > 0 ? `${one.milliseconds} ms` : ''),
            },
            { title: 'HOW', value: ({ explanation }) => explanation },
          ],
          report.aspects,
        ),
        ...report.remarks.map(printable),
      ].join('\n');
    await showOne(context.output, probed, { message: report, people });
    return undefined;
  },
};

/** UCUM as people write it. */
const UNITS: Readonly<Record<string, string>> = { Cel: '°C', '{rev}/min': 'rpm' };

const sensorNoun: Shown<typeof SensorSchema> = {
  schema: SensorSchema,
  name: ({ label }) => label,
  columns: [
    { title: 'SENSOR', value: ({ label }) => label },
    { title: 'KIND', value: ({ type }) => type },
    {
      title: 'VALUE',
      value: ({ value, unit }) =>
        value === undefined ? '' : `${value} ${UNITS[unit] ?? unit}`.trim(),
    },
    { title: 'HEALTH', value: ({ health }) => enumWord(HealthSchema, health) },
  ],
};

export const sensors: Command = {
  summary: 'read the sensors of a provider',
  positionals: PROVIDER,
  run: async (context, args) => {
    const name = providerName(context, args);
    const answer = await hardware(context).listProviderSensors({ name }, slowCall(context));
    await showList(context.output, sensorNoun, answer.sensors);
    return undefined;
  },
};

const entryNoun: Shown<typeof HardwareLogEntrySchema> = {
  schema: HardwareLogEntrySchema,
  name: ({ id }) => id,
  columns: [
    { title: 'ID', value: ({ id }) => id },
    { title: 'TIME', value: ({ time }) => formatLocalTime(time) },
    { title: 'GRAVITY', value: ({ severity }) => enumWord(HealthSchema, severity) },
    { title: 'MESSAGE', value: ({ message }) => message },
  ],
};

export const log: Command = {
  summary: 'read or clear the event log of a controller',
  positionals: PROVIDER,
  options: {
    ...FORCE,
    ...YES,
    newest: { type: 'string', value: 'N', help: 'how many of the newest (100)' },
    clear: { type: 'boolean', help: 'clear it instead' },
  },
  run: async (context, args) => {
    const client = hardware(context);
    const name = providerName(context, args);
    if (args.flag('clear')) {
      const request = asked(context, args);
      const id = lastSegment(name);
      await confirmByName(context, args, { name: id, what: `this empties the log of ${id}` });
      await client.clearProviderLog(request, slowCall(context));
      context.output.remark(`the log of ${lastSegment(name)} is cleared`);
      return undefined;
    }
    const text = args.string('newest') ?? '0';
    if (!/^\d{1,4}$/.test(text))
      throw new UsageError(`--newest: "${text}" is no number up to 1000`);
    const request = { name, newest: Number(text) };
    const { entries } = await client.listProviderLogEntries(request, slowCall(context));
    await showList(context.output, entryNoun, entries);
    return undefined;
  },
};

export const indicator: Command = {
  summary: 'light or darken the indicator, to find a provider in its rack',
  positionals: [...PROVIDER, { name: 'state', help: 'on or off', choices: ['on', 'off'] }],
  options: REASON,
  run: async (context, args) => {
    const word = args.positional('state');
    if (word !== 'on' && word !== 'off') throw new UsageError(`"${word}" is unknown`, 'on or off');
    const { name, reason, requestId } = asked(context, args);
    const request = { name, reason, requestId, lit: word === 'on' };
    const { lit } = await hardware(context).setProviderIndicator(request, slowCall(context));
    const people = `the indicator of ${lastSegment(name)} is ${lit ? 'lit' : 'dark'}`;
    await say(context, { value: { lit }, people });
    return undefined;
  },
};

export const raw: Command = {
  summary: "send a request in the controller's own protocol; it is written into the audit",
  positionals: [
    ...PROVIDER,
    { name: 'request', help: '"GET /redfish/v1/…" or IPMI in hexadecimal' },
  ],
  options: { ...FORCE, ...YES },
  examples: ['runm provider raw r1u1 "GET /redfish/v1/Managers"', 'runm provider raw r1u1 "06 01"'],
  run: async (context, args) => {
    const request = { ...asked(context, args), request: args.positional('request') };
    if (isDisturbing(request.request)) {
      const id = lastSegment(request.name);
      const what = `this may disturb who works on ${id}, or lock us out`;
      await confirmByName(context, args, { name: id, what });
    }
    const { response } = await hardware(context).sendRawRequest(request, slowCall(context));
    await say(context, { value: { response }, people: printableLines(response) });
    return undefined;
  },
};

/** What is not only read by HTTP; of IPMI the power and the users. */
const isDisturbing = (request: string): boolean =>
  /^\s*(?:POST|PUT|PATCH|DELETE)\b/i.test(request) ||
  /^\s*(?:0x)?(?:00[\s,:]*(?:0x)?02|06[\s,:]*(?:0x)?4[357])\b/i.test(request);

const printableLines = (text: string): string => text.split('\n').map(printable).join('\n');

export const rotate: Command = {
  summary: "give the controller's user a new password and keep it in its secret",
  positionals: PROVIDER,
  options: { ...REASON, ...YES },
  run: async (context, args) => {
    const { name, reason, requestId } = asked(context, args);
    const request = { name, reason, requestId };
    const id = lastSegment(name);
    const what = `this gives the controller of ${id} a new password; whoever uses the old is out`;
    await confirmByName(context, args, { name: id, what });
    const { secret } = await hardware(context).rotateProviderCredentials(
      request,
      slowCall(context),
    );
    const people = `${id} has a new password; it is in ${secret}`;
    await say(context, { value: { secret }, people });
    return undefined;
  },
};
