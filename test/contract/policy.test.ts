/**
 * What every RPC of the contract must say about itself (API.md): read from proto/, not from code.
 */
import { type DescMethod, getOption, hasOption } from '@bufbuild/protobuf';
import { MethodOptions_IdempotencyLevel as Level } from '@bufbuild/protobuf/wkt';
import test, { type ExecutionContext } from 'ava';
import {
  type Policy,
  policy as policyOption,
  RequestIdRule,
  Scope,
} from '../../gen/runmachine/common/v1/policy_pb.ts';
import { PUBLIC_SERVICES } from '../../services/contract.ts';
import { factsOf } from '../../services/runtime/rpc/method-facts.ts';
import { builtContract, methodNames } from '../support/contract-image.ts';

const services = builtContract();
const methods = services.flatMap((service) => service.methods);

const nameOf = (method: DescMethod): string => `${method.parent.typeName}/${method.name}`;
const shortName = (method: DescMethod): string => nameOf(method).split('.').at(-1) ?? '';
const policyOf = (method: DescMethod): Policy | undefined =>
  hasOption(method, policyOption) ? getOption(method, policyOption) : undefined;
const isRead = (method: DescMethod): boolean =>
  /^(?:Get|List|Watch|Wait|WhoAmI|Introspect|Find|Explain|Report)/.test(method.name);

/** Calls that change something and yet leave no audit row or have no request_id, and why. */
const EXCEPTIONS: Readonly<Record<string, 'not audited' | 'no request_id' | 'neither'>> = {
  // A key press; that the console was opened is audited.
  'ConsoleService/WriteConsole': 'neither',
  'ConsoleService/WriteConsoleByToken': 'neither',
  // A retry issues another one, and both end by themselves.
  'ConsoleService/IssueConsoleToken': 'no request_id',
  // A stream is opened once; nothing of it can be answered again.
  'ConsoleService/AttachConsole': 'no request_id',
  'OrderService/PlaceOrder': 'neither',
  'ProviderConsoleService/AttachProviderConsole': 'no request_id',
  'ProviderConsoleService/WriteProviderConsole': 'neither',
  'ProviderHardwareService/ProbeProvider': 'neither',
  // The offset of each part makes its retry safe.
  'ImageService/UploadImagePart': 'no request_id',
  // What is seen is nobody's act; when it was seen makes a retry safe.
  'ProviderService/RecordProviderFacts': 'neither',
  'DiscoveryService/RecordDiscoveries': 'neither',
  // Nothing is changed by it but the audit, and a retry is to be seen there too.
  'SecretService/RevealSecret': 'no request_id',
  // What agents report is numbered and acknowledged by sequence; they act for nobody.
  'AgentService/Session': 'neither',
  'AgentService/Channel': 'neither',
};

const expectNone = (t: ExecutionContext, wrong: readonly DescMethod[]): void => {
  t.deepEqual(wrong.map(nameOf), []);
};

test('the contract is what the processes serve', (t) => {
  t.true(methods.length > 50);
  t.deepEqual(methodNames(PUBLIC_SERVICES), methodNames(services));
});

test('every RPC has a policy that names where which permission must be held', (t) => {
  expectNone(
    t,
    methods.filter((method) => {
      const policy = policyOf(method);
      if (policy === undefined || policy.scope === Scope.UNSPECIFIED) return true;
      if (policy.scope === Scope.ANONYMOUS) return policy.permission !== '';
      if (policy.scope === Scope.OWN && policy.permission === '') return false;
      return !/^[a-z]+(?:_[a-z]+)*\.[a-z]+(?:_[a-z]+)*$/.test(policy.permission);
    }),
  );
});

test('the guard of every process reads the same policy', (t) => {
  const known = new Map(services.map((service) => [service.typeName, service]));
  for (const service of PUBLIC_SERVICES) {
    for (const method of service.methods) {
      const own = known.get(service.typeName)?.methods.find(({ name }) => name === method.name);
      if (own === undefined) throw new Error(`${nameOf(method)} is not in proto/`);
      const { policy } = factsOf(service, method);
      t.is(policy?.permission, policyOf(own)?.permission, nameOf(method));
      t.is(policy?.scope, policyOf(own)?.scope, nameOf(method));
    }
  }
});

test('nobody calls without a name but to become somebody, or by a token of a console', (t) => {
  const open = methods.filter((method) => policyOf(method)?.scope === Scope.ANONYMOUS);
  t.deepEqual(open.map(shortName).toSorted(), [
    'ConsoleService/WatchConsoleByToken',
    'ConsoleService/WriteConsoleByToken',
    'TrustService/GetTrustBundle',
    'TrustService/Join',
    'TrustService/Renew',
  ]);
});

test('a read has no side effects, is not asked for a request_id and may be a GET', (t) => {
  const reads = methods.filter(isRead);
  t.true(reads.length > 20);
  expectNone(
    t,
    reads.filter(
      (method) =>
        method.idempotency !== Level.NO_SIDE_EFFECTS ||
        policyOf(method)?.requestId !== RequestIdRule.UNSPECIFIED ||
        method.input.fields.some(({ name }) => name === 'request_id'),
    ),
  );
});

test('a mutation does not call itself a read', (t) => {
  expectNone(
    t,
    methods.filter((method) => !isRead(method) && method.idempotency === Level.NO_SIDE_EFFECTS),
  );
});

test('a mutation is audited and says whether it needs a request_id', (t) => {
  const wrong = methods
    .filter((method) => !isRead(method))
    .filter((method) => {
      const policy = policyOf(method);
      const except = EXCEPTIONS[shortName(method)];
      const audited = except !== 'not audited' && except !== 'neither';
      const numbered = except !== 'no request_id' && except !== 'neither';
      const rule = policy?.requestId ?? RequestIdRule.UNSPECIFIED;
      return policy?.audited !== audited || (rule !== RequestIdRule.UNSPECIFIED) !== numbered;
    });
  expectNone(t, wrong);
});

test('every exception is an RPC that exists', (t) => {
  const names = new Set(methods.map(shortName));
  t.deepEqual(
    Object.keys(EXCEPTIONS).filter((name) => !names.has(name)),
    [],
  );
});

test('the request has a request_id where the policy speaks of one, and only there', (t) => {
  expectNone(
    t,
    methods.filter((method) => {
      const rule = policyOf(method)?.requestId ?? RequestIdRule.UNSPECIFIED;
      const has = method.input.fields.some(({ name }) => name === 'request_id');
      return has !== (rule !== RequestIdRule.UNSPECIFIED);
    }),
  );
});

test('what creates something needs a request_id', (t) => {
  expectNone(
    t,
    methods
      .filter(({ name }) => /^(?:Create|Start|Stop|Shutdown|Reset|Pause|Resume)/.test(name))
      .filter((method) => policyOf(method)?.requestId !== RequestIdRule.REQUIRED),
  );
});

test('a mutation that says it is idempotent has a request_id to be so', (t) => {
  expectNone(
    t,
    methods.filter(
      (method) =>
        method.idempotency === Level.IDEMPOTENT &&
        policyOf(method)?.requestId === RequestIdRule.UNSPECIFIED,
    ),
  );
});

test('the place is in the request where the scope is a project or a partition', (t) => {
  const hasPlace = (method: DescMethod): boolean => {
    const names = (of: DescMethod['input']) => of.fields.map(({ name }) => name);
    if (names(method.input).some((name) => name === 'name' || name === 'parent')) return true;
    // <resource>.name, or the first message of a stream in a oneof.
    return method.input.fields.some(
      (field) => field.fieldKind === 'message' && names(field.message).includes('name'),
    );
  };
  expectNone(
    t,
    methods
      .filter((method) => {
        const scope = policyOf(method)?.scope;
        return scope === Scope.PROJECT || scope === Scope.PARTITION;
      })
      .filter((method) => !hasPlace(method)),
  );
});
