/**
 * The process that control-plane.ts starts: the embedded control plane, with no agent and no guest.
 */
import { join } from 'node:path';
import { startEmbedded } from '../../services/embedded.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { createLog } from '../../services/runtime/log.ts';
import { openLogFile } from '../../services/runtime/log-file.ts';
import { systemRandom } from '../../services/runtime/random.ts';

const [stateDir = '', people = '', mtls = '', ...origins] = process.argv.slice(2);
const host = '127.0.0.1';
const logFile = openLogFile({ file: join(stateDir, 'runmachine.log') });
const embedded = await startEmbedded({
  stateDir,
  cluster: 'lab',
  people: { host, port: Number(people) },
  mtls: { host, port: Number(mtls) },
  publicNames: [],
  origins,
  version: '0.0.0',
  clock: systemClock,
  random: systemRandom,
  log: createLog({ name: 'runmachine', level: 'info', destination: logFile }),
});
process.once('SIGTERM', async () => {
  await embedded.stop();
  logFile.flush();
  process.exit(0);
});
process.send?.({ caPem: embedded.caPem, adminTokenFile: embedded.adminTokenFile });
