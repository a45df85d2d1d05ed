import { BmcError, type MediaAspect, type Offer } from '../../bmc-port.ts';
import { seen } from '../read-back.ts';
import { actionOf } from './action.ts';
import type { Place } from './place.ts';
import { flagAt, linkAt, type Resource, textAt, textsAt } from './resource.ts';

/**
 * A virtual CD-ROM drive: at the system since 2020.4, at the manager before; by actions, or by
 * writing Image where there are none (DSP0268, VirtualMedia).
 */
export const offerMedia = (place: Place): Offer<MediaAspect> => {
  const owners = [linkAt(place.system, 'VirtualMedia'), linkAt(place.manager, 'VirtualMedia')];
  const links = owners.filter((link) => link !== '');
  if (links.length === 0) {
    return { kind: 'not_offered', why: 'Neither the system nor its manager has VirtualMedia' };
  }
  const read = async (signal: AbortSignal): Promise<string | undefined> =>
    imageIn(await driveOf(place, links, signal));
  const check = (wanted: string | undefined, signal: AbortSignal) =>
    seen(
      place,
      {
        what: wanted === undefined ? 'ejecting the medium' : 'the medium',
        read: () => read(signal),
        isSo: (shown) => (wanted === undefined ? shown === undefined : shown !== undefined),
        tell: (shown) => (shown === undefined ? 'the drive is empty' : 'a medium is inserted'),
      },
      signal,
    );
  const eject = async (signal: AbortSignal): Promise<void> => {
    const drive = await driveOf(place, links, signal);
    if (imageIn(drive) === undefined) return;
    await ejectFrom(place, drive, signal);
    await check(undefined, signal);
  };
  const insert = async (url: string, signal: AbortSignal): Promise<void> => {
    const drive = await driveOf(place, links, signal);
    if (!URL.canParse(url)) throw new BmcError('refused', `The medium’s URL is none: "${url}"`);
    const now = imageIn(drive);
    if (now === url) return;
    if (now !== undefined) await eject(signal);
    await insertInto(place, { drive, url }, signal);
    await check(url, signal);
  };
  return { kind: 'offered', aspect: { read, insert, eject }, how: `Drives below ${links[0]}` };
};

const driveOf = async (
  { client, rules }: Place,
  links: readonly string[],
  signal: AbortSignal,
): Promise<Resource> => {
  for (const link of links) {
    const all = await client.members(link, signal);
    const drives = all.filter((one) => rules.mediaDrives?.test(textAt(one, 'Id')) !== false);
    const found = drives.find(takesUrl('CD')) ?? drives.find(takesUrl('DVD'));
    if (found !== undefined) return found;
  }
  throw new BmcError(
    'unsupported',
    `The BMC has no virtual CD-ROM drive below ${links.join(', ')}`,
  );
};

/** A drive of a browser's or proxy's session takes no URL and has neither actions nor an image. */
const takesUrl =
  (type: string) =>
  (drive: Resource): boolean =>
    textsAt(drive, 'MediaTypes').includes(type) &&
    (hasActions(drive) || 'Image' in drive) &&
    textAt(drive, 'ConnectedVia') !== 'Applet';

const hasActions = (drive: Resource): boolean =>
  textAt(Object(drive.Actions)['#VirtualMedia.InsertMedia'], 'target') !== '';

/** Some leave the name of what was ejected where it was (Supermicro). */
const imageIn = (drive: Resource): string | undefined => {
  const image = textAt(drive, 'Image');
  const inserted = flagAt(drive, 'Inserted');
  const isConnected = textAt(drive, 'ConnectedVia') !== 'NotConnected';
  return image !== '' && (inserted ?? isConnected) ? image : undefined;
};

type Inserting = { readonly drive: Resource; readonly url: string };

const insertInto = async (
  place: Place,
  { drive, url }: Inserting,
  signal: AbortSignal,
): Promise<void> => {
  const { client } = place;
  const action = actionOf(drive, '#VirtualMedia.InsertMedia', place);
  if (action === undefined) {
    return writeImage(place, { drive, image: url, rest: { WriteProtected: true } }, signal);
  }
  // Both default to true, and some refuse to be told so (DSP0268, InsertMedia).
  const body = { Image: url };
  try {
    await client.post(action.target, body, signal);
  } catch (error) {
    if (!(error instanceof BmcError) || !isMissingProtocol(error)) throw error;
    const TransferProtocolType = new URL(url).protocol.replace(':', '').toUpperCase();
    await client.post(action.target, { ...body, TransferProtocolType }, signal);
  }
};

/** It is in the URL already, but some want to be told. */
const isMissingProtocol = ({ fault, said }: BmcError): boolean =>
  fault === 'refused' && said.some((sentence) => sentence.includes('TransferProtocolType'));

const ejectFrom = async (place: Place, drive: Resource, signal: AbortSignal): Promise<void> => {
  const action = actionOf(drive, '#VirtualMedia.EjectMedia', place);
  if (action === undefined) {
    return writeImage(place, { drive, image: null, rest: {} }, signal);
  }
  await place.client.post(action.target, {}, signal);
};

type Imaging = {
  readonly drive: Resource;
  readonly image: string | null;
  readonly rest: Resource;
};

/** Some insist on all of them (XCC), others take the image alone (iLO 4). */
const writeImage = async (
  { client }: Place,
  { drive, image, rest }: Imaging,
  signal: AbortSignal,
): Promise<void> => {
  const Image = image;
  try {
    await client.patch(drive, { Image, Inserted: image !== null, ...rest }, signal);
  } catch (error) {
    if (!(error instanceof BmcError && error.fault === 'refused')) throw error;
    await client.patch(drive, { Image }, signal);
  }
};
