/**
 * The listener for people with the whole pipeline, around an identity service that answers who the
 * token is.
 */
import { createServiceImplSpec } from '@connectrpc/connect';
import { IdentityService } from '../../../gen/runmachine/identity/v1/identity_service_pb.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { callOf } from '../../../services/runtime/context.ts';
import { createLog } from '../../../services/runtime/log.ts';
import { openLogFile } from '../../../services/runtime/log-file.ts';
import { createMetrics } from '../../../services/runtime/metrics.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { createAuthenticator } from '../../../services/runtime/rpc/authenticator.ts';
import { guardAll } from '../../../services/runtime/rpc/guard.ts';
import { mountPeople } from '../../../services/runtime/rpc/mount-people.ts';
import { createPipeline } from '../../../services/runtime/rpc/pipeline.ts';
import { type Pem, tlsMaterial } from '../../../services/runtime/tls.ts';
import { CLUSTER } from '../../support/certificates.ts';
import { serveParent } from '../serve-parent.ts';

type Start = { readonly pem: Pem; readonly logFile: string; readonly token: string };

const start = async ({ pem, logFile, token }: Start): Promise<number> => {
  const destination = openLogFile({ file: logFile });
  const log = createLog({ name: 'bench', level: 'info', destination });
  const grants = [{ role: 'admin', permissions: new Set(['*']) }];
  const admin = { kind: 'user' as const, principal: 'users/admin', uid: 'admin', grants };
  const pipeline = createPipeline({
    clock: systemClock,
    random: systemRandom,
    log,
    metrics: createMetrics({ withProcess: true }).rpc,
    authenticate: createAuthenticator({
      clock: systemClock,
      cluster: CLUSTER,
      grantsOf: () => [],
      introspect: async (shown) => (shown === token ? admin : undefined),
    }),
  });
  const spec = createServiceImplSpec<typeof IdentityService>(IdentityService, {
    whoAmI: (_, context) => {
      const { principal, uid } = callOf(context).identity;
      return { principal, uid, cluster: CLUSTER, grants: [{ role: 'roles/admin' }] };
    },
  });
  const mount = await mountPeople({
    services: guardAll([{ service: IdentityService, spec }], pipeline),
    tls: tlsMaterial(pem),
    listen: { host: '127.0.0.1', port: 0 },
    log,
    origins: [],
    probes: {
      notReady: () => Promise.resolve([]),
      metrics: () => Promise.resolve({ text: '', contentType: 'text/plain' }),
      about: 'bench',
    },
  });
  return mount.port;
};

serveParent({ start });
