/**
 * A process as services/main.ts assembles one, around a handler that answers a mutation of the
 * contract with what it was given: mTLS, the whole pipeline, metrics, the log at info in a file.
 */
import type { ServiceImpl } from '@connectrpc/connect';
import { createServiceImplSpec } from '@connectrpc/connect';
import { MachineService } from '../../../gen/runmachine/machine/v1/machine_service_pb.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { callOf } from '../../../services/runtime/context.ts';
import { createLog } from '../../../services/runtime/log.ts';
import { openLogFile } from '../../../services/runtime/log-file.ts';
import { createMetrics } from '../../../services/runtime/metrics.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { createAuthenticator } from '../../../services/runtime/rpc/authenticator.ts';
import { guardAll } from '../../../services/runtime/rpc/guard.ts';
import { mountGrpcJs } from '../../../services/runtime/rpc/mount-grpc-js.ts';
import { createPipeline } from '../../../services/runtime/rpc/pipeline.ts';
import { type Pem, tlsMaterial } from '../../../services/runtime/tls.ts';
import { CLUSTER } from '../../support/certificates.ts';
import { serveParent } from '../serve-parent.ts';

type Start = { readonly pem: Pem; readonly logFile: string };

const start = async ({ pem, logFile }: Start): Promise<number> => {
  const log = createLog({
    name: 'bench',
    level: 'info',
    destination: openLogFile({ file: logFile }),
  });
  const granted = [{ role: 'service', permissions: new Set(['machine.update']) }];
  const pipeline = createPipeline({
    clock: systemClock,
    random: systemRandom,
    log,
    metrics: createMetrics({ withProcess: true }).rpc,
    authenticate: createAuthenticator({
      clock: systemClock,
      cluster: CLUSTER,
      grantsOf: (kind) => (kind === 'service' ? granted : []),
      introspect: () => Promise.resolve(undefined),
      isRevoked: () => false,
    }),
  });
  const updateMachine: ServiceImpl<typeof MachineService>['updateMachine'] = (request, context) => {
    // A handler that stores anything needs the request key; the idempotency stage must have made
    // it.
    if (callOf(context).requestMark === undefined) throw new Error('no request mark');
    return { machine: request.machine };
  };
  const spec = createServiceImplSpec<typeof MachineService>(MachineService, { updateMachine });
  const mount = await mountGrpcJs({
    services: guardAll([{ service: MachineService, spec }], pipeline),
    tls: tlsMaterial(pem),
    listen: { host: '127.0.0.1', port: 0 },
    log,
  });
  return mount.port;
};

serveParent({ start });
