import type { LabContext, Route, Write } from '../context.ts';
import { type Json, noContent, refuse } from '../message.ts';
import type { Personality } from '../personality.ts';
import { MANAGER, SYSTEM } from './paths.ts';
import { collection, resource, textField } from './shape.ts';

/** A virtual CD-ROM drive, at the manager or, as newer schemas want it, at the system. */
const drivesAt = (owner: string): string => `${owner}/VirtualMedia`;

/** Where the drive is that works. */
export const drivePath = (personality: Personality): string =>
  `${drivesAt(personality.mediaAt === 'system' ? SYSTEM : MANAGER)}/${nameOf(personality)}`;

const isAt = (owner: string, { personality }: LabContext): boolean =>
  (personality.mediaAt === 'system' ? SYSTEM : MANAGER) === owner;

const driveOf = (path: string, { server, personality }: LabContext): Json => {
  const url = path.endsWith(`/${nameOf(personality)}`) ? server.media() : undefined;
  const act = `${path}/Actions/VirtualMedia`;
  return resource('VirtualMedia', path, {
    Name: 'Virtual CD-ROM',
    MediaTypes: ['CD', 'DVD'],
    Image: url ?? null,
    ImageName: url === undefined ? null : (url.split('/').at(-1) ?? null),
    Inserted: url !== undefined,
    WriteProtected: true,
    ConnectedVia: url === undefined ? 'NotConnected' : 'URI',
    ...(personality.mediaBy === 'patch'
      ? {}
      : {
          Actions: {
            '#VirtualMedia.InsertMedia': { target: `${act}.InsertMedia` },
            '#VirtualMedia.EjectMedia': { target: `${act}.EjectMedia` },
          },
        }),
  });
};

const insert: Write = ({ server, personality }, body, { id }) => {
  if (id !== nameOf(personality)) return refuse(400, 'ActionNotSupported');
  const image = textField(body, 'Image');
  if (image.kind === 'wrong') return image.reply;
  if (image.kind === 'absent') {
    return refuse(400, 'ActionParameterMissing', { detail: 'It is Image.' });
  }
  const missing = personality.mediaNeeds?.find((name) => body[name] === undefined);
  if (missing !== undefined) {
    return refuse(400, 'ActionParameterMissing', { detail: `It is ${missing}.` });
  }
  if (!URL.canParse(image.value)) {
    return refuse(400, 'PropertyValueTypeError', { detail: 'Image is no URL.', about: 'Image' });
  }
  server.setMedia(image.value);
  return noContent;
};

const eject: Write = ({ server }) => {
  server.setMedia(undefined);
  return noContent;
};

const patch: Write = (context, body, found) => {
  if (context.personality.mediaBy !== 'patch') {
    return refuse(400, 'PropertyNotWritable', { detail: 'Use the actions.' });
  }
  const about = context.personality.mediaRefuses?.find((name) => body[name] !== undefined);
  if (about !== undefined) return refuse(400, 'PropertyNotWritable', { about });
  return body.Image === null ? eject(context, {}, found) : insert(context, body, found);
};

const nameOf = ({ drive = 'Cd1' }: Personality): string => drive;

const namesOf = ({ personality }: LabContext): readonly string[] => [
  ...(personality.otherDrives ?? []),
  nameOf(personality),
];

const routesAt = (owner: string): readonly Route[] => {
  const drives = drivesAt(owner);
  const isThere = (context: LabContext, id: string): boolean =>
    isAt(owner, context) && namesOf(context).includes(id);
  return [
    {
      path: drives,
      get: (context) =>
        isAt(owner, context)
          ? collection('VirtualMedia', drives, { name: 'Virtual media', ids: namesOf(context) })
          : undefined,
    },
    {
      path: `${drives}/{id}`,
      get: (context, { id, path }) => (isThere(context, id) ? driveOf(path, context) : undefined),
      patch,
    },
    { path: `${drives}/{id}/Actions/VirtualMedia.InsertMedia`, post: insert },
    { path: `${drives}/{id}/Actions/VirtualMedia.EjectMedia`, post: eject },
  ];
};

export const MEDIA_ROUTES: readonly Route[] = [...routesAt(MANAGER), ...routesAt(SYSTEM)];
