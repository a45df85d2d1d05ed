import { Code, ConnectError } from '@connectrpc/connect';
import test from 'ava';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from '../../../gen/google/rpc/error_details_pb.ts';
import { NoCapacitySchema } from '../../../gen/runmachine/common/v1/error_pb.ts';
import { DomainError, notFound, resourceExhausted } from '../../../services/runtime/errors.ts';
import { mapError, toConnectError } from '../../../services/runtime/rpc/error-mapping.ts';
import { domainErrorOf } from '../../../services/runtime/rpc/error-reading.ts';
import { errorOfStatus, statusOf } from '../../../services/runtime/rpc/grpc-status.ts';

const incident = () => 'incident-1';

test('everything that a DomainError says survives the wire', (t) => {
  const error = resourceExhausted('NO_CAPACITY', 'Nothing fits', {
    metadata: { partition: 'lab' },
    removedBy: { 'runm.memory': 3, 'capability cpu.x86': 2 },
    retryAfterMs: 1500,
    violations: [{ field: 'memory', description: 'too much' }],
    invalidState: { state: 'FULL', allowed: ['EMPTY'] },
  });
  const wire = errorOfStatus(statusOf(toConnectError(error)));
  t.is(wire.code, Code.ResourceExhausted);
  t.deepEqual(
    wire.findDetails(NoCapacitySchema)[0]?.steps.map(({ constraint }) => constraint),
    ['runm.memory', 'capability cpu.x86'],
  );
  t.is(wire.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field, 'memory');
  t.is(wire.findDetails(RetryInfoSchema)[0]?.retryDelay?.nanos, 500_000_000);
  const read = domainErrorOf(wire);
  t.like(read, { kind: 'resource_exhausted', reason: 'NO_CAPACITY', message: 'Nothing fits' });
  t.deepEqual(read?.metadata, { partition: 'lab' });
  t.deepEqual(read?.extras.removedBy, error.extras.removedBy);
  t.deepEqual(read?.extras.invalidState, error.extras.invalidState);
  t.is(read?.extras.retryAfterMs, 1500);
});

test('what is not found is named as a resource', (t) => {
  const error = toConnectError(notFound('NOT_FOUND', 'no', { metadata: { name: 'images/x' } }));
  t.is(error.findDetails(ResourceInfoSchema)[0]?.resourceName, 'images/x');
});

test('an error of an inner call passes as it came, an unknown one is hidden', (t) => {
  const inner = toConnectError(notFound('NOT_FOUND', 'inner text'));
  t.is(mapError(inner, incident).error.rawMessage, 'inner text');
  for (const bug of [
    new TypeError('secret'),
    'a text',
    undefined,
    new ConnectError('secret', Code.NotFound),
    new ConnectError('secret', Code.Internal),
    new DomainError('internal', 'INTERNAL', 'secret'),
  ]) {
    const { error, incident: id } = mapError(bug, incident);
    t.is(error.code, Code.Internal);
    t.notRegex(error.message, /secret/);
    t.is(id, 'incident-1');
    t.is(error.findDetails(ErrorInfoSchema)[0]?.metadata.incident, 'incident-1');
  }
});

test('a service that cannot be reached is UNAVAILABLE with our reason', (t) => {
  const { error, reason } = mapError(new ConnectError('down', Code.Unavailable), incident);
  t.is(error.code, Code.Unavailable);
  t.is(reason, 'SERVICE_UNAVAILABLE');
});

test('hostile text cannot break the status line or fill the trailers', (t) => {
  const violations = Array.from({ length: 1000 }, (_, at) => ({
    field: `f${at}${'x'.repeat(1000)}`,
    description: 'y'.repeat(1000),
  }));
  const error = toConnectError(
    new DomainError('invalid_argument', 'INVALID_FIELD', `\ud800${'z'.repeat(100_000)}`, {
      metadata: { evil: '\ud800'.repeat(10_000) },
      violations,
    }),
  );
  const status = statusOf(error);
  t.notThrows(() => encodeURI(status.details));
  const [details] = status.metadata.get('grpc-status-details-bin');
  t.true(Buffer.byteLength(details ?? '') < 14_000, String(details?.length));
});
