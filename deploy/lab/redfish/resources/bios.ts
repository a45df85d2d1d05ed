import type { LabServer } from '../../server-port.ts';
import { BIOS_DEFAULTS } from '../../server-state.ts';
import type { LabContext, Route, Write } from '../context.ts';
import { type Json, link, noContent, refuse } from '../message.ts';
import { MANAGER, SYSTEM } from './paths.ts';
import { resource, unknownProperty } from './shape.ts';
import { taskReply } from './task-service.ts';

/** BIOS attributes, now and from the next boot on (DSP0266, settings resource). */
export const BIOS = `${SYSTEM}/Bios`;
const SETTINGS = `${BIOS}/Settings`;

type Attributes = ReadonlyMap<string, string | number | boolean>;

/** Written, and no job made of it yet. */
const written = new WeakMap<LabServer, Attributes>();

const biosOf = ({ server, personality }: LabContext): Json =>
  resource('Bios', BIOS, {
    Name: 'BIOS',
    Attributes: Object.fromEntries(server.bios()),
    '@Redfish.Settings': {
      '@odata.type': '#Settings.v1_3_5.Settings',
      SettingsObject: link(SETTINGS),
      ...(personality.biosByJob === true ? {} : { SupportedApplyTimes: ['OnReset'] }),
    },
    Actions: { '#Bios.ResetBios': { target: RESET } },
  });

const RESET = `${BIOS}/Actions/Bios.ResetBios`;

/** As it came, from the next boot on. */
const reset: Write = ({ server }) => {
  written.delete(server);
  server.setBios(new Map(Object.entries(BIOS_DEFAULTS)));
  return noContent;
};

const settingsOf = ({ server }: LabContext): Json =>
  resource('Bios', SETTINGS, {
    Name: 'BIOS from the next boot on',
    Attributes: {
      ...Object.fromEntries(server.bios()),
      ...Object.fromEntries(server.pendingBios()),
      ...Object.fromEntries(written.get(server) ?? []),
    },
  });

const patchSettings: Write = ({ server, personality, tasks }, body) => {
  const unknown = unknownProperty(body, ['Attributes']);
  if (unknown !== undefined) return unknown;
  const { Attributes: sent } = body;
  if (typeof sent !== 'object' || sent === null) {
    return refuse(400, 'PropertyMissing', { detail: 'It is Attributes.' });
  }
  const now = server.bios();
  const wanted = new Map<string, string | number | boolean>();
  for (const [name, value] of Object.entries(sent)) {
    const about = `Attributes/${name}`;
    if (!now.has(name))
      return refuse(400, 'PropertyNotWritable', { detail: `It is ${name}.`, about });
    const isRight = isSetting(value) && typeof value === typeof now.get(name);
    if (!isRight) return refuse(400, 'PropertyValueTypeError', { detail: `It is ${name}.`, about });
    wanted.set(name, value);
  }
  if (personality.biosByJob === true) {
    written.set(server, wanted);
    return noContent;
  }
  const isTask = personality.biosByTask === true;
  if (isTask && body['@Redfish.SettingsApplyTime'] === undefined) return noContent;
  server.setBios(wanted);
  if (!isTask) return noContent;
  return taskReply(tasks.start('BIOS settings', () => untilBooted(server)));
};

const makeJob: Write = ({ server, tasks }, body) => {
  if (body.TargetSettingsURI !== SETTINGS) {
    return refuse(400, 'PropertyMissing', { detail: `TargetSettingsURI is ${SETTINGS}.` });
  }
  server.setBios(written.get(server) ?? new Map());
  written.delete(server);
  return taskReply(tasks.start('BIOS settings', () => untilBooted(server)));
};

const untilBooted = (server: LabServer): Promise<void> =>
  new Promise((resolve) => {
    const stop = server.onChange(() => {
      if (server.pendingBios().size > 0) return;
      stop();
      resolve();
    });
  });

const isSetting = (value: unknown): value is string | number | boolean =>
  ['string', 'number', 'boolean'].includes(typeof value);

export const BIOS_ROUTES: readonly Route[] = [
  { path: BIOS, get: biosOf },
  { path: RESET, post: reset },
  { path: SETTINGS, get: settingsOf, patch: patchSettings },
  {
    path: `${MANAGER}/Jobs`,
    post: makeJob,
    lacks: ({ personality }) => personality.biosByJob !== true,
  },
];
