import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createFileRegistry, type DescService, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { temporaryDir } from './temporary-dir.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const LOCK = join(ROOT, 'proto/lock.binpb');

/** What buf makes of proto/ today: the contract without the detour over generated code. */
export const builtContract = (): readonly DescService[] => {
  using dir = temporaryDir();
  const file = join(dir.path, 'image.binpb');
  writeContractImage(file);
  return servicesIn(readFileSync(file));
};

/** The contract of the last release; undefined before the first one. */
export const releasedContract = (): readonly DescService[] | undefined =>
  existsSync(LOCK) ? servicesIn(readFileSync(LOCK)) : undefined;

/** Writes a FileDescriptorSet of proto/ and all that it imports, for clients of other languages. */
export const writeContractImage = (file: string): void => {
  const buf = join(ROOT, 'node_modules/.bin/buf');
  const args = ['build', '--path', 'proto/runmachine', '--exclude-source-info', '-o', file];
  const { status, stderr } = spawnSync(buf, args, {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (status !== 0) throw new Error(`buf build failed: ${stderr}`);
};

const servicesIn = (image: Uint8Array): readonly DescService[] => {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  return [...registry]
    .filter((one) => one.kind === 'service')
    .filter(({ typeName }) => typeName.startsWith('runmachine.'))
    .toSorted((a, b) => (a.typeName < b.typeName ? -1 : 1));
};

/** "package.Service/Method" of each, sorted. */
export const methodNames = (services: readonly DescService[]): readonly string[] =>
  services
    .flatMap(({ typeName, methods }) => methods.map(({ name }) => `${typeName}/${name}`))
    .toSorted();
