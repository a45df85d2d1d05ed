import test from 'ava';
import { keptSettings, namesInDepends, reasonOf } from '../../../../deploy/tools/apt.ts';

test('the dependency tree gives each real package once and no virtual ones', (t) => {
  const text =
    'qemu\n  Depends: libc6\n |Depends: x\nlibc6\n<mailer>\n  postfix\nlibc6:i386\nqemu\n';
  t.deepEqual(namesInDepends(text), ['qemu', 'libc6']);
});

test('of the settings only proxies and the like are kept, no hooks and no extra indexes', (t) => {
  const dump = [
    'APT::Architecture "amd64";',
    'APT::Update::Post-Invoke:: "rm -f /x";',
    'DPkg::Pre-Install-Pkgs:: "/usr/sbin/dpkg-preconfigure";',
    'Acquire "";',
    'Acquire::http::Proxy "http://proxy:3128";',
    'Acquire::IndexTargets::deb::DEP-11::MetaKey "x";',
    'Acquire::Languages:: "none";',
    'Dir::State "var/lib/apt";',
  ].join('\n');
  t.deepEqual(keptSettings(dump), [
    'APT::Architecture "amd64";',
    'Acquire::http::Proxy "http://proxy:3128";',
  ]);
});

test('a failure tells apt’s own errors, each once', (t) => {
  const stderr = 'E: Failed to fetch http://m/x  Could not resolve\nE: Some index files failed\n';
  t.is(
    reasonOf({ exitCode: 100, stdout: 'Reading…\nE: Some index files failed\n', stderr }),
    'Failed to fetch http://m/x  Could not resolve; Some index files failed',
  );
});

test('a failure without apt’s errors tells what was on stderr, or the exit code', (t) => {
  t.is(
    reasonOf({ exitCode: 127, stdout: '', stderr: 'could not be started\n' }),
    'could not be started',
  );
  t.is(reasonOf({ exitCode: 3, stdout: '', stderr: '' }), 'exit 3');
});
