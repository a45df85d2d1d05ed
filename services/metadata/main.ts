import type { Clock } from '../runtime/clock.ts';
import type { Grant } from '../runtime/identity.ts';
import type { Random } from '../runtime/random.ts';
import type { RunningService, ServiceDeps } from '../runtime/service.ts';
import { publishRevocation } from '../store/coordination/revocations.ts';
import { openSql, type SqlStore } from '../store/sql/open.ts';
import type { StoreLog } from '../store/sql/store-log.ts';
import { type Authority, openAuthority } from './authority/authority.ts';
import { readMasterKey } from './authority/master-key.ts';
import { createAnswerSealer } from './authority/sealed-answer.ts';
import { createSecretSealer } from './authority/sealed-secret.ts';
import { burnBootstrapToken, ensureAdminToken } from './bootstrap.ts';
import { findRole } from './domain/role.ts';
import { createLocalJoinToken, type LocalJoinToken } from './embedded-join.ts';
import { ownerQuestions } from './neighbours.ts';
import { certificateService } from './rpc/certificate-service.ts';
import { definitionService } from './rpc/definition-service.ts';
import type { RpcDeps } from './rpc/deps.ts';
import { identityService } from './rpc/identity-service.ts';
import { projectService } from './rpc/project-service.ts';
import { roleService } from './rpc/role-service.ts';
import { secretService } from './rpc/secret-service.ts';
import { tokenService } from './rpc/token-service.ts';
import { trustService } from './rpc/trust-service.ts';
import { userService } from './rpc/user-service.ts';
import { metadataMigrations } from './store/migrations.ts';
import { metadataRecords as records } from './store/records.ts';
import { authorityVault } from './store/trust-records.ts';
import { keepHouse } from './work/housekeeping.ts';
import { createTokenUse } from './work/token-use.ts';

export type { Authority, IssuedPem, ServerNames } from './authority/authority.ts';

export type MetadataConfig = {
  /**
   * File (mode 0600) with 64 hexadecimal digits that seals private keys; the same for every
   * replica.
   */
  readonly masterKeyFile: string;
  /** Make that file when it is missing (embedded mode). */
  readonly createMasterKey: boolean;
  /**
   * File (mode 0600) with a one-time token that becomes the first one of user `admin`. Absent:
   * none.
   */
  readonly bootstrapTokenFile?: string;
};

export type MetadataService = RunningService & {
  /** The CA of the installation; usable before `start`. */
  readonly authority: Authority;
  /**
   * Embedded mode: sees to it that the file holds a working token of user `admin`. Before `start`,
   * at every start.
   */
  readonly ensureAdminToken: (file: string) => Promise<void>;
  /** Embedded mode: a join token for the agent of this host, which has no certificate. */
  readonly createLocalJoinToken: (wanted: LocalJoinToken) => Promise<string>;
};

const READY_MS = 2_000;

/**
 * Projects, users, roles, tokens, certificates and trust. Errors: those of openSql, readMasterKey,
 * openAuthority.
 */
export const createMetadataService = async (
  deps: ServiceDeps<MetadataConfig>,
): Promise<MetadataService> => {
  const { config, clock, random, log, cluster } = deps;
  const masterKey = await readMasterKey(
    { file: config.masterKeyFile, create: config.createMasterKey },
    random,
  );
  const store = await openStore({ ...deps.sql, clock, random, log });
  try {
    const vault = authorityVault(store);
    const authority = await openAuthority({ cluster, clock, random, masterKey, vault });
    const own = { store, records, clock, random, log };
    if (config.bootstrapTokenFile !== undefined) {
      await burnBootstrapToken(own, config.bootstrapTokenFile);
    }
    const tokenUse = createTokenUse(own);
    const rpc: RpcDeps = {
      ...own,
      authority,
      cluster,
      sealer: createAnswerSealer({ masterKey, random }),
      secretSealer: createSecretSealer({ masterKey, random }),
      questions: ownerQuestions(deps.connect),
      notices: {
        publish: (revoked, signal) => publishRevocation(deps.coordination, revoked, signal),
      },
      noteTokenUse: tokenUse.note,
    };
    let working: Promise<unknown> = Promise.resolve();
    return {
      authority,
      ensureAdminToken: (file) => ensureAdminToken(own, file),
      createLocalJoinToken: (wanted) => createLocalJoinToken(own, wanted),
      implementations: servicesOf(rpc),
      start: async (signal) => {
        const housekeeping = keepHouse({ ...own, coordination: deps.coordination }, signal);
        working = Promise.allSettled([tokenUse.work(signal), housekeeping]);
      },
      stop: async () => {
        await working;
        await store.close();
      },
      ready: async () => {
        await store.ping(AbortSignal.timeout(READY_MS));
      },
    };
  } catch (error) {
    await store.close();
    throw error;
  }
};

const servicesOf = (rpc: RpcDeps) => [
  identityService(rpc),
  projectService(rpc),
  userService(rpc),
  roleService(rpc),
  tokenService(rpc),
  certificateService(rpc),
  trustService(rpc),
  definitionService(rpc),
  secretService(rpc),
];

type StoreOptions = ServiceDeps['sql'] & {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: StoreLog;
};

const openStore = (options: StoreOptions): Promise<SqlStore> =>
  openSql({
    ...options,
    service: 'metadata',
    entities: [],
    migrations: metadataMigrations,
  });

export type AuthorityAccess = { readonly authority: Authority } & AsyncDisposable;

/**
 * The CA without the service, for scripts that give service processes their certificates: needs the
 * database of metadata and its master key. Errors: those of createMetadataService.
 */
export const openAuthorityAlone = async (
  options: StoreOptions & { readonly cluster: string; readonly masterKeyFile: string },
): Promise<AuthorityAccess> => {
  const { cluster, masterKeyFile, clock, random } = options;
  const masterKey = await readMasterKey({ file: masterKeyFile, create: false }, random);
  const store = await openStore(options);
  try {
    const vault = authorityVault(store);
    const authority = await openAuthority({ cluster, clock, random, masterKey, vault });
    return { authority, [Symbol.asyncDispose]: () => store.close() };
  } catch (error) {
    await store.close();
    throw error;
  }
};

/** What our services and agents may do, from their certificate alone: for the authenticator. */
export const grantsOfKind = (kind: 'service' | 'agent'): readonly Grant[] => [
  { role: kind, permissions: new Set(findRole(kind)?.permissions ?? []) },
];
