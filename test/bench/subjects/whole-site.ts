/** The whole control plane in one process, as `npm start` has it, on files of its own. */
import { readFileSync } from 'node:fs';
import { startEmbedded } from '../../../services/embedded.ts';
import { systemClock as clock } from '../../../services/runtime/clock.ts';
import { createLog } from '../../../services/runtime/log.ts';
import { openLogFile } from '../../../services/runtime/log-file.ts';
import { systemRandom as random } from '../../../services/runtime/random.ts';
import { freePort } from '../../support/free-port.ts';
import { serveParent } from '../serve-parent.ts';
import { beginProfile, endProfile } from './cpu-profile.ts';

export type SiteStart = {
  readonly stateDir: string;
  readonly logFile: string;
  readonly partition: string;
  readonly agentId: string;
};

export type SiteStarted = {
  /** Of the listener for people. */
  readonly endpoint: string;
  readonly mtlsPort: number;
  readonly caPem: string;
  readonly adminToken: string;
  /** For one agent with the role bmc. */
  readonly joinToken: string;
};

const HOST = '127.0.0.1';

const start = async ({
  stateDir,
  logFile,
  partition,
  agentId,
}: SiteStart): Promise<SiteStarted> => {
  const [peoplePort, mtlsPort] = [await freePort(), await freePort()];
  const destination = openLogFile({ file: logFile });
  const embedded = await startEmbedded({
    ...{ stateDir, cluster: 'lab', publicNames: [], origins: [], version: '0.0.0' },
    people: { host: HOST, port: peoplePort },
    mtls: { host: HOST, port: mtlsPort },
    ...{ clock, random, log: createLog({ name: 'runmachine', level: 'info', destination }) },
  });
  return {
    endpoint: `https://${HOST}:${peoplePort}`,
    mtlsPort,
    caPem: embedded.caPem,
    adminToken: readFileSync(embedded.adminTokenFile, 'utf8').trim(),
    joinToken: await embedded.createJoinToken({ partition, agentId, roles: ['bmc'] }),
  };
};

serveParent({ start, beginProfile, endProfile });
