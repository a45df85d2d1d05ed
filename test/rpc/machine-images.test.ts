/** Images: uploaded, fetched by URL, refused, shared, deleted. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'ava';
import {
  ImageFormat,
  ImagePartRole,
  ImageState,
} from '../../gen/runmachine/machine/v1/image_pb.ts';
import { eventually } from '../support/eventually.ts';
import { refused } from '../support/rpc-errors.ts';
import { type Clients, clientsOf, type Site, startSite, uuid } from './machine-fixture.ts';

const as = (site: Site, token: string): Clients => {
  const [replica] = site.replicas;
  if (replica === undefined) throw new Error('no replica');
  return clientsOf(replica.asPerson(token));
};

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const server = async (files: Readonly<Record<string, Buffer>>) => {
  const http = createServer((request, response) => {
    const file = files[request.url ?? ''];
    response.statusCode = file === undefined ? 404 : 200;
    response.end(file);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      http.close();
    },
  };
};

const image = (
  project: string,
  parts: readonly { role: ImagePartRole; sha256: string; url?: string }[],
) => ({
  spec: { format: ImageFormat.KERNEL, project, phonesHome: true, parts: [...parts] },
});

async function* upload(name: string, role: ImagePartRole, bytes: Buffer) {
  yield { content: { case: 'header' as const, value: { name, role } } };
  yield { content: { case: 'data' as const, value: bytes } };
}

const found = async (clients: Clients, name: string) =>
  (await clients.images.getImage({ name })).image;

test('an image is available when all its parts are here', async (t) => {
  await using site = await startSite();
  const admin = as(site, 'admin');
  const [kernel, initrd] = [Buffer.from('a kernel'), Buffer.from('a ram disk')];
  await admin.images.createImage({
    imageId: 'linux',
    image: image('', [
      { role: ImagePartRole.KERNEL, sha256: digestOf(kernel) },
      { role: ImagePartRole.INITRD, sha256: digestOf(initrd) },
    ]),
    requestId: uuid(),
  });
  const name = 'images/linux';
  const wrong = upload(name, ImagePartRole.KERNEL, Buffer.from('something else'));
  await refused(t, admin.images.uploadImagePart(wrong), {
    kind: 'invalid_argument',
    reason: 'CHECKSUM_MISMATCH',
  });
  t.is((await found(admin, name))?.status?.state, ImageState.IMPORTING);
  await admin.images.uploadImagePart(upload(name, ImagePartRole.KERNEL, kernel));
  t.is((await found(admin, name))?.status?.state, ImageState.IMPORTING);
  await refused(t, admin.images.uploadImagePart(upload(name, ImagePartRole.KERNEL, kernel)), {
    kind: 'failed_precondition',
    reason: 'INVALID_STATE',
  });
  await refused(t, admin.images.uploadImagePart(upload(name, ImagePartRole.DISK, kernel)), {
    kind: 'invalid_argument',
    reason: 'INVALID_FIELD',
  });
  const { image: whole } = await admin.images.uploadImagePart(
    upload(name, ImagePartRole.INITRD, initrd),
  );
  t.is(whole?.status?.state, ImageState.AVAILABLE);
  t.is(whole?.status?.sizeBytes, BigInt(kernel.length + initrd.length));
  // All see what is shared, and only who may share changes it.
  t.is((await found(as(site, 'blue'), name))?.uid, whole?.uid);
  await refused(t, as(site, 'blue').images.deleteImage({ name }), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
});

test('an image of a project is its own', async (t) => {
  await using site = await startSite();
  const red = as(site, 'red');
  const parts = [{ role: ImagePartRole.KERNEL, sha256: 'a'.repeat(64) }];
  const made = { imageId: 'mine', requestId: uuid() };
  await refused(t, red.images.createImage({ ...made, image: image('', parts) }), {
    kind: 'permission_denied',
    reason: 'NOT_ALLOWED',
  });
  await refused(t, red.images.createImage({ ...made, image: image('projects/blue', parts) }), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
  await red.images.createImage({ ...made, image: image('projects/red', parts) });
  t.is((await red.images.listImages({})).images.length, 1);
  const blue = as(site, 'blue');
  t.deepEqual((await blue.images.listImages({})).images, []);
  await refused(t, blue.images.getImage({ name: 'images/mine' }), {
    kind: 'not_found',
    reason: 'NOT_FOUND',
  });
  await red.images.deleteImage({ name: 'images/mine' });
  await red.images.deleteImage({ name: 'images/mine', allowMissing: true });
});

test('parts with a URL are fetched and checked', async (t) => {
  const [kernel, initrd] = [Buffer.alloc(1_500_000, 'k'), Buffer.from('initrd')];
  await using files = await server({ '/k': kernel, '/i': initrd });
  await using site = await startSite();
  const red = as(site, 'red');
  const part = (role: ImagePartRole, bytes: Buffer, path: string) => ({
    role,
    sha256: digestOf(bytes),
    url: `${files.url}${path}`,
  });
  await red.images.createImage({
    imageId: 'fetched',
    image: image('projects/red', [
      part(ImagePartRole.KERNEL, kernel, '/k'),
      part(ImagePartRole.INITRD, initrd, '/i'),
    ]),
    requestId: uuid(),
  });
  const done = await eventually(async () => {
    const one = await found(red, 'images/fetched');
    return one?.status?.state === ImageState.AVAILABLE ? one : undefined;
  });
  t.is(done.status?.receivedBytes, BigInt(kernel.length + initrd.length));
  const failing = async (imageId: string, path: string, sha: Buffer) => {
    const parts = [part(ImagePartRole.KERNEL, sha, path)];
    const request = { imageId, image: image('projects/red', parts), requestId: uuid() };
    await red.images.createImage(request);
    return eventually(async () => {
      const one = await found(red, `images/${imageId}`);
      return one?.status?.state === ImageState.IMPORT_FAILED ? one.status.problem : undefined;
    });
  };
  t.like(await failing('absent', '/nope', kernel), { reason: 'IMAGE_INVALID' });
  t.like(await failing('other', '/i', kernel), { reason: 'CHECKSUM_MISMATCH' });
});

test('parts that make no image are refused', async (t) => {
  await using site = await startSite();
  const red = as(site, 'red');
  const sha256 = 'b'.repeat(64);
  const bad = async (parts: Parameters<typeof image>[1]) => {
    const request = { imageId: 'bad', image: image('projects/red', parts), requestId: uuid() };
    const error = await refused(t, red.images.createImage(request), {
      kind: 'invalid_argument',
      reason: 'INVALID_FIELD',
    });
    return error.message;
  };
  t.regex(await bad([{ role: ImagePartRole.INITRD, sha256 }]), /needs a part "kernel"/);
  t.regex(
    await bad([
      { role: ImagePartRole.KERNEL, sha256 },
      { role: ImagePartRole.DISK, sha256 },
    ]),
    /no part "disk"/,
  );
  t.regex(await bad([{ role: ImagePartRole.KERNEL, sha256, url: 'ftp://x/k' }]), /not an http/);
  t.regex(await bad([{ role: ImagePartRole.KERNEL, sha256: 'short' }]), /sha256/);
});
