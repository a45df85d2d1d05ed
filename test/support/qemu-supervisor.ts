/**
 * A process that starts a guest and then does nothing, for tests that kill it: takes driver
 * directories, programs, spec and boot as JSON in its first argument, and prints the guest's
 * status.
 */
import { createQemuDriver } from '../../services/agent/drivers/qemu/guest.ts';
import { systemClock as clock } from '../../services/runtime/clock.ts';
import { silentLog as log } from './silent-log.ts';

const { deps, spec, boot } = JSON.parse(process.argv[2] ?? '');
const driver = createQemuDriver({ ...deps, clock, log });
driver.onEvent((event) => {
  if (event.kind === 'kernel_line') console.log('kernel-line');
});
const { pid } = await driver.start(spec, boot);
console.log(`pid ${pid}`);
await new Promise(() => setInterval(() => undefined, 60_000));
