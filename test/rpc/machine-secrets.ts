/** Secrets as metadata serves them, in memory. */
import type { ServiceImpl } from '@connectrpc/connect';
import type { SecretService } from '../../gen/runmachine/identity/v1/secret_service_pb.ts';
import { failedPrecondition, notFound } from '../../services/runtime/errors.ts';
import { toConnectError } from '../../services/runtime/rpc/error-mapping.ts';

export type FakeSecret = {
  data: Record<string, string>;
  staged: Record<string, string>;
  generation: bigint;
  /** For whom it was read. */
  readonly readers: string[];
};

export type FakeSecrets = {
  readonly values: Map<string, FakeSecret>;
  readonly implementation: Partial<ServiceImpl<typeof SecretService>>;
};

export const createFakeSecrets = (): FakeSecrets => {
  const values = new Map<string, FakeSecret>();
  const find = (name: string): FakeSecret => {
    const found = values.get(name.toLowerCase());
    if (found === undefined) throw toConnectError(notFound('NOT_FOUND', `"${name}" is not there`));
    return found;
  };
  return {
    values,
    implementation: {
      revealSecret: ({ name, purpose }) => {
        const { data, staged, generation, readers } = find(name);
        readers.push(purpose);
        return { data, stagedData: staged, generation };
      },
      stageSecret: ({ name, data }) => {
        const secret = find(name);
        if (Object.keys(secret.staged).length > 0) {
          throw toConnectError(failedPrecondition('INVALID_STATE', 'Others are staged'));
        }
        secret.staged = data;
        return {};
      },
      promoteSecret: ({ name }) => {
        const secret = find(name);
        if (Object.keys(secret.staged).length === 0) return {};
        secret.data = secret.staged;
        secret.staged = {};
        secret.generation += 1n;
        return {};
      },
    },
  };
};
