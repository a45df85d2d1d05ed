import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * `npm run notices` writes deploy/THIRD-PARTY-NOTICES.md from package-lock.json; a test fails when
 * it is behind.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const NOTICES_FILE = 'deploy/THIRD-PARTY-NOTICES.md';

type LockedPackage = {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
};

/** The text for a given package-lock.json. Throws where a package names no licence. */
export const noticesFor = (lock: { readonly packages: Record<string, LockedPackage> }): string => {
  const locked = Object.entries(lock.packages).filter(([path]) => path !== '');
  const lines = (dev: boolean): string[] => {
    const rows = locked
      .filter(([, one]) => (one.dev === true) === dev)
      .map(([path, one]) => {
        const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
        if (one.license === undefined) throw new Error(`${name} names no licence`);
        return `| ${name} | ${one.version ?? ''} | ${one.license} |`;
      });
    return ['| package | version | licence |', '| --- | --- | --- |', ...new Set(rows.sort())];
  };
  return [HEAD, '## At run time', '', ...lines(false), '', DEVELOPMENT, ...lines(true), ''].join(
    '\n',
  );
};

const HEAD = `# Third-party notices

runmachine is licensed under the Apache License 2.0 (LICENSE). It uses the work of others under
their own licences. This file is written by \`npm run notices\`.

## In this repository

| files | from | licence |
| --- | --- | --- |
| proto/vendor/buf/validate | protovalidate, Buf Technologies, Inc. | Apache-2.0 |
| proto/vendor/google/rpc | googleapis, Google LLC | Apache-2.0 |
| proto/vendor/grpc | grpc-proto, The gRPC Authors | Apache-2.0 |

## From the distribution

System programs (qemu, Linux, busybox, etcd, PostgreSQL, HAProxy and others) are not part of
runmachine. They are used where they are installed, else taken from the package mirror of the
system's distribution under the licences that their packages name.

# Packages

They are installed from package-lock.json; each carries its licence text. Node.js itself (in the
node-… packages) is under the MIT licence and those that its LICENSE file lists.
`;

const DEVELOPMENT = `## For development and tests only
`;

if (import.meta.main) {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  writeFileSync(join(root, NOTICES_FILE), noticesFor(lock));
}
