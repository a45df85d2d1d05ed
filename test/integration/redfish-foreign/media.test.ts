import test from 'ava';
import { foreignRedfish } from '../../support/foreign-redfish.ts';
import { inTime, offered } from '../../support/redfish-lab.ts';

const link = (path: string) => ({ '@odata.id': path });
const MANAGER = '/redfish/v1/Managers/1';
const DRIVE = `${MANAGER}/VirtualMedia/CD1`;
const INSERT = `${DRIVE}/Actions/VirtualMedia.InsertMedia`;

/** Of a drive whose medium was ejected by somebody, as Supermicro shows it. */
const LEFT = {
  ...link(DRIVE),
  Id: 'CD1',
  MediaTypes: ['CD', 'DVD'],
  Image: 'http://127.0.0.1/before.iso',
  ImageName: 'before.iso',
  ConnectedVia: 'NotConnected',
  Actions: {
    '#VirtualMedia.InsertMedia': { target: INSERT },
    '#VirtualMedia.EjectMedia': { target: `${DRIVE}/Actions/VirtualMedia.EjectMedia` },
  },
};

test('the name of a medium that was ejected is no medium', async (t) => {
  const bodies = {
    [MANAGER]: { ...link(MANAGER), VirtualMedia: link(`${MANAGER}/VirtualMedia`) },
    [`${MANAGER}/VirtualMedia`]: { Members: [link(DRIVE)] },
    [DRIVE]: LEFT,
  };
  const { open, written } = await foreignRedfish(t, bodies, ({ path, body }, shown) => {
    const { Image: image } = Object(body);
    if (path === INSERT) shown.set(DRIVE, { ...LEFT, Image: image, ConnectedVia: 'URI' });
    return undefined;
  });
  const media = offered((await open()).offers.media);
  t.is(await media.read(inTime()), undefined);
  await media.eject(inTime());
  t.deepEqual(written, []);
  await media.insert('http://127.0.0.1/before.iso', inTime());
  t.deepEqual(
    written.map(({ path }) => path),
    [INSERT],
  );
  t.is(await media.read(inTime()), 'http://127.0.0.1/before.iso');
});
