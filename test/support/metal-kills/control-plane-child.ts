/**
 * The control plane that metal tests kill: `node control-plane-child.ts STATE_DIR PEOPLE MTLS
 * COMMAND…`, where the command cleans servers after claims. It ends with who started it.
 */
import { join } from 'node:path';
import { startEmbedded } from '../../../services/embedded.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { createLog } from '../../../services/runtime/log.ts';
import { openLogFile } from '../../../services/runtime/log-file.ts';
import { systemRandom } from '../../../services/runtime/random.ts';

const [stateDir = '', people = '', mtls = '', ...cleaningCommand] = process.argv.slice(2);
const host = '127.0.0.1';
const logFile = openLogFile({ file: join(stateDir, 'runmachine.log') });
process.once('disconnect', () => process.exit(1));
const { caPem, adminTokenFile } = await startEmbedded({
  stateDir,
  cluster: 'lab',
  people: { host, port: Number(people) },
  mtls: { host, port: Number(mtls) },
  publicNames: [],
  origins: [],
  version: '0.0.0',
  cleaningCommand,
  // Who is killed amid a cleaning waits until it must be over.
  cleaningTimeoutMs: 20_000,
  clock: systemClock,
  random: systemRandom,
  log: createLog({ name: 'runmachine', level: 'info', destination: logFile }),
});
process.send?.({ ready: true, caPem, adminTokenFile });
