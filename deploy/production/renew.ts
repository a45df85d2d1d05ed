import { identifyProcess, isSameProcess } from '../../services/agent/drivers/qemu/process.ts';
import { systemClock } from '../../services/runtime/clock.ts';
import { issueCertificates } from './control-plane.ts';
import { joinPem } from './haproxy.ts';
import { openProcessFile } from './leftovers.ts';
import { makePlaces } from './places.ts';

/**
 * New certificates for an installation that runs. Our processes look at their files every ten
 * seconds; HAProxy is told to read them again.
 */
export const renewCertificates = async (dir: string, signal: AbortSignal): Promise<void> => {
  const places = makePlaces(dir);
  await issueCertificates(places, signal);
  joinPem(places);
  const recorded = openProcessFile(places.file('processes.json'), systemClock).find('haproxy');
  const found = recorded && (await identifyProcess(recorded.pid));
  if (!recorded || !found || !isSameProcess(recorded, found)) {
    throw new Error('the certificates are new, but no HAProxy runs that could be told');
  }
  process.kill(found.pid, 'SIGUSR2');
  console.log('certificates are new; HAProxy reads them again, the services within ten seconds');
};
