import { needs, slot } from '../needs.ts';
import { eventually } from '../support/eventually.ts';
import { createInstallation } from '../support/installation.ts';
import { ok } from '../support/runm.ts';

const { test } = needs('qemu', 'qemu-img', 'busybox', 'kernel');

type Server = { readonly name: string; readonly redfish: string; readonly power: string };
type Provider = {
  readonly name: string;
  readonly status?: { readonly observedFacts?: { readonly serialNumber?: string } };
};

test('npm start enrols a rack of three, and finds it again after a kill', async (t) => {
  using _slot = await slot('guest');
  await using here = await createInstallation();
  const { runm } = here;
  const servers = async (): Promise<readonly Server[]> =>
    JSON.parse(ok(await runm('lab', 'status', '--json'))).servers;
  const printed = await here.start('--no-demo');
  t.regex(printed, /lab +rack r1: r1u1 r1u2 r1u3 \(off until powered\)/);
  const first = await servers();
  t.deepEqual(
    first.map(({ name, power }) => [name, power]),
    [
      ['r1u1', 'off'],
      ['r1u2', 'off'],
      ['r1u3', 'off'],
    ],
  );
  const serialNumbers = async (): Promise<readonly (string | undefined)[]> => {
    const rows: Provider[] = JSON.parse(ok(await runm('provider', 'list', '--json')));
    return rows
      .filter(({ name }) => name.includes('/providers/r1u'))
      .map(({ status }) => status?.observedFacts?.serialNumber);
  };
  const read = await eventually(
    async () => {
      const found = await serialNumbers();
      return found.length === 3 && found.every((one) => one !== undefined) ? found : undefined;
    },
    { limitMs: 180_000, message: 'what the controllers say of the servers is read' },
  );
  t.is(new Set(read).size, 3);
  await here.kill();
  await here.start('--no-demo');
  t.deepEqual(
    (await servers()).map(({ redfish }) => redfish),
    first.map(({ redfish }) => redfish),
  );
  t.deepEqual(await serialNumbers(), read);
  t.is(await here.stop(), 0);
  const without = await here.start('--no-demo', '--no-lab');
  t.false(without.includes('rack r1'));
  t.is((await runm('lab', 'status')).code, 2, 'the profile names no lab');
});
