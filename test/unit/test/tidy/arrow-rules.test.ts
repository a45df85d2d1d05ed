import test from 'ava';
import { checkArrows } from '../../../tidy/arrow-rules.ts';
import { scan } from '../../../tidy/scan.ts';

type Case = readonly [path: string, imported: string, allowed: boolean, type?: 'type'];

const cases: readonly Case[] = [
  // services and what they share
  ['services/machine/rpc/a.ts', '../domain/b.ts', true],
  ['services/machine/work/a.ts', '../domain/b.ts', true],
  ['services/machine/store/a.ts', '../ports.ts', true],
  ['services/machine/main.ts', './store/a.ts', true],
  ['services/machine/rpc/a.ts', '../../runtime/service.ts', true],
  ['services/machine/rpc/a.ts', '../../../gen/runmachine/machine/v1/machine_pb.ts', true],
  ['services/machine/rpc/a.ts', '../store/b.ts', false],
  ['services/machine/rpc/a.ts', '../work/b.ts', false],
  ['services/machine/work/a.ts', '../rpc/b.ts', false],
  ['services/machine/work/a.ts', '../store/b.ts', false],
  ['services/machine/store/a.ts', '../rpc/b.ts', false],
  ['services/machine/work/a.ts', '../../scheduler/domain/b.ts', false],
  ['services/machine/main.ts', '../scheduler/main.ts', false],
  ['services/main.ts', './scheduler/main.ts', true],
  ['services/machine/main.ts', '../main.ts', false],
  // runtime and store know no service
  ['services/runtime/a.ts', '../machine/domain/b.ts', false],
  ['services/runtime/a.ts', '../store/sql/open.ts', false],
  ['services/runtime/a.ts', '../store/coordination/port.ts', false],
  ['services/runtime/a.ts', '../store/coordination/port.ts', true, 'type'],
  ['services/store/sql/a.ts', '../../runtime/errors.ts', true],
  ['services/store/sql/a.ts', '../../machine/ports.ts', false],
  // a domain
  ['services/machine/domain/a.ts', './b.ts', true],
  ['services/machine/domain/a.ts', '../../runtime/errors.ts', true],
  ['services/machine/domain/a.ts', 'node:assert/strict', true],
  ['services/machine/domain/a.ts', 'node:fs', false],
  ['services/machine/domain/a.ts', '../ports.ts', true, 'type'],
  ['services/machine/domain/a.ts', '../ports.ts', false],
  ['services/machine/domain/a.ts', '../../runtime/clock.ts', true, 'type'],
  ['services/machine/domain/a.ts', '../../runtime/service.ts', false, 'type'],
  ['services/machine/domain/a.ts', '../../../gen/x_pb.ts', false, 'type'],
  ['services/machine/domain/a.ts', '@bufbuild/protobuf', false],
  // the agent, the command line
  ['services/agent/drivers/qemu/a.ts', '../../domain/b.ts', true],
  ['services/agent/drivers/qemu/a.ts', '../../ports.ts', true, 'type'],
  ['services/agent/drivers/qemu/a.ts', '../../session.ts', false],
  ['services/agent/drivers/qemu/a.ts', '../../../../gen/x_pb.ts', false],
  ['services/agent/drivers/qemu/a.ts', '@connectrpc/connect', false],
  ['services/agent/session.ts', '../../gen/x_pb.ts', true],
  ['services/agent/session.ts', '../machine/main.ts', false],
  ['services/cli/commands/machine/get.ts', '../../../runtime/client.ts', true],
  ['services/cli/commands/machine/get.ts', '../../../runtime/service.ts', false],
  ['services/cli/commands/machine/get.ts', '../../../machine/domain/b.ts', false],
  // tests and deploy
  ['services/machine/rpc/a.ts', '../../../test/fakes/b.ts', false],
  ['services/machine/rpc/a.ts', '../../../deploy/tools/fetch.ts', false],
  ['services/start.ts', '../deploy/tools/fetch.ts', true],
  ['deploy/a.ts', '../services/runtime/clock.ts', true],
  ['deploy/a.ts', '../test/needs.ts', false],
  ['test/unit/a.test.ts', '../../services/machine/store/b.ts', true],
];

for (const [path, imported, allowed, type] of cases) {
  const verb = `${allowed ? 'may' : 'must not'} import${type === undefined ? '' : ' a type from'}`;
  test(`${path} ${verb} ${imported}`, (t) => {
    const text = `import ${type ?? ''} { x } from '${imported}';`;
    t.is(checkArrows(scan(path, text)).length, allowed ? 0 : 1);
  });
}

test('a domain that waits is refused, other layers may wait', (t) => {
  const text = 'export const a = async () => 1;';
  t.is(checkArrows(scan('services/machine/domain/a.ts', text)).length, 1);
  t.is(checkArrows(scan('services/machine/work/a.ts', text)).length, 0);
});
