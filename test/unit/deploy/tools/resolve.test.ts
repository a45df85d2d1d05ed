import test from 'ava';
import { toolCatalog } from '../../../../deploy/tools/catalog.ts';
import { type Package, parseStanzas } from '../../../../deploy/tools/deb-control.ts';
import { type ResolveInput, resolve } from '../../../../deploy/tools/resolve.ts';

/** `name version depends` lines as packages. */
const packages = (...lines: readonly string[]): Package[] =>
  parseStanzas(
    lines
      .map((line) => {
        const [name, version, ...depends] = line.split(' ');
        return `Package: ${name}\nVersion: ${version}\nDepends: ${depends.join(' ')}`;
      })
      .join('\n\n'),
  );

const names = (input: Omit<ResolveInput, 'candidates'> & { readonly candidates: Package[] }) => {
  const candidates = new Map(input.candidates.map((one) => [one.name, one]));
  const resolution = resolve({ ...input, candidates });
  return resolution.kind === 'resolved'
    ? resolution.packages.map((one) => one.name).sort()
    : resolution.reason;
};

test('dependencies are followed to the end, each once, also in a circle', (t) => {
  const candidates = packages('a 1 b, c', 'b 1 c', 'c 1 a');
  t.deepEqual(names({ wanted: ['a'], candidates, installed: [] }), ['a', 'b', 'c']);
});

test('what is installed in a fitting version is not unpacked again', (t) => {
  const candidates = packages('a 1 b (>= 2), c (>= 2)', 'b 3', 'c 3');
  const installed = packages('b 2', 'c 1');
  t.deepEqual(names({ wanted: ['a'], candidates, installed }), ['a', 'c']);
});

test('an installed alternative spares the first one', (t) => {
  const candidates = packages('a 1 b | c', 'b 1', 'c 1');
  t.deepEqual(names({ wanted: ['a'], candidates, installed: packages('c 1') }), ['a']);
  t.deepEqual(names({ wanted: ['a'], candidates, installed: [] }), ['a', 'b']);
});

test('a virtual package is answered by one that provides it', (t) => {
  const candidates = [
    ...packages('a 1 mailer'),
    ...parseStanzas('Package: real\nVersion: 1\nProvides: mailer'),
  ];
  t.deepEqual(names({ wanted: ['a'], candidates, installed: [] }), ['a', 'real']);
});

test('a provision without a version does not fulfil a versioned dependency', (t) => {
  const candidates = [
    ...packages('a 1 lib (>= 2)'),
    ...parseStanzas('Package: real\nVersion: 9\nProvides: lib'),
  ];
  t.is(names({ wanted: ['a'], candidates, installed: [] }), 'a depends on lib (>= 2)');
});

test('the C library is never unpacked, even where a newer one is wanted', (t) => {
  const candidates = packages('a 1 libc6 (>= 9)', 'libc6 9');
  t.deepEqual(names({ wanted: ['a'], candidates, installed: packages('libc6 1') }), ['a']);
});

test('a metapackage leads to the real kernel and not to the initramfs builder', (t) => {
  const candidates = packages(
    'linux-image-cloud-amd64 6.1 linux-image-6.1.0-56-cloud-amd64 (= 6.1)',
    'linux-image-6.1.0-56-cloud-amd64 6.1 kmod, initramfs-tools | linux-initramfs-tool',
    'initramfs-tools 1 klibc-utils',
    'klibc-utils 1',
  );
  const { follow = /never/ } = toolCatalog('amd64').kernel;
  t.deepEqual(names({ wanted: ['linux-image-cloud-amd64'], candidates, installed: [], follow }), [
    'linux-image-6.1.0-56-cloud-amd64',
    'linux-image-cloud-amd64',
  ]);
});

test('a metapackage of a metapackage leads to the kernel and its modules', (t) => {
  const candidates = packages(
    'linux-image-kvm 6.8 linux-image-virtual',
    'linux-image-virtual 6.8 linux-image-6.8.0-31-generic',
    'linux-image-6.8.0-31-generic 6.8 kmod, linux-base, linux-modules-6.8.0-31-generic',
    'linux-modules-6.8.0-31-generic 6.8',
  );
  const { follow = /never/ } = toolCatalog('amd64').kernel;
  const wanted = ['linux-image-cloud-amd64', 'linux-image-kvm'];
  const found = names({ wanted, candidates, installed: [], follow });
  t.true(found.includes('linux-image-6.8.0-31-generic'));
  t.true(found.includes('linux-modules-6.8.0-31-generic'));
  t.is(found.length, 4);
});

test('the first wanted name that the distribution has is taken', (t) => {
  const candidates = packages('etcd 3');
  t.deepEqual(names({ wanted: ['etcd-server', 'etcd'], candidates, installed: [] }), ['etcd']);
  t.is(names({ wanted: ['x', 'y'], candidates, installed: [] }), 'no package named x or y');
});
