/**
 * What this service needs of its records; store/ implements it, inside the transactions of
 * store/sql. A name or uid that is not there answers undefined, never an error.
 */
import type { Page } from '../store/sql/page.ts';
import type { Reader, Tx } from '../store/sql/transaction.ts';
import type { AgentRecord, AppCertificate } from './domain/certificate.ts';
import type { Definition } from './domain/definition.ts';
import type { Grant } from './domain/grant.ts';
import type { Project } from './domain/project.ts';
import type { Sealed } from './domain/sealed.ts';
import type { Secret } from './domain/secret.ts';
import type { JoinToken, Token } from './domain/token.ts';
import type { User } from './domain/user.ts';

/** One kind of object with a head (domain/record.ts). */
export type Records<T, Filter> = {
  /** Errors: already_exists when the name is taken. */
  readonly insert: (tx: Tx, record: T) => Promise<void>;
  readonly find: (reader: Reader, idOrUid: string) => Promise<T | undefined>;
  /** Locks the row until the transaction ends; its version has grown. */
  readonly lock: (tx: Tx, idOrUid: string) => Promise<T | undefined>;
  /** In the order of their names, at most `page.limit`, behind `page.after`. */
  readonly list: (reader: Reader, filter: Filter, page: Page) => Promise<readonly T[]>;
  readonly remove: (tx: Tx, record: T) => Promise<void>;
};

/** Ids of the projects that may be seen; undefined = all. */
export type ProjectFilter = { readonly only: readonly string[] | undefined };
export type ProjectRecords = Records<Project, ProjectFilter> & {
  /** Writes a row that this transaction has locked. */
  readonly save: (tx: Tx, project: Project) => Promise<void>;
  /**
   * Locks the row without changing its version: until the transaction ends it cannot be deleted.
   */
  readonly hold: (tx: Tx, idOrUid: string) => Promise<Project | undefined>;
  /** Ids of projects inside it, in their order, at most `limit`. */
  readonly childrenOf: (reader: Reader, id: string, limit: number) => Promise<readonly string[]>;
};

/** Ids of the projects whose secrets are read; undefined = all. */
export type SecretFilter = { readonly only: readonly string[] | undefined };
export type SecretRecords = {
  /** Errors: already_exists when the name is taken in its project. */
  readonly insert: (tx: Tx, secret: Secret) => Promise<void>;
  /** By id or uid within a project. */
  readonly find: (reader: Reader, at: SecretAt) => Promise<Secret | undefined>;
  /** Locks the row until the transaction ends; its version has grown. */
  readonly lock: (tx: Tx, at: SecretAt) => Promise<Secret | undefined>;
  /** Writes a row that this transaction has locked. */
  readonly save: (tx: Tx, secret: Secret) => Promise<void>;
  /** In the order of projects and names. */
  readonly list: (reader: Reader, filter: SecretFilter, page: Page) => Promise<readonly Secret[]>;
  readonly remove: (tx: Tx, secret: Secret) => Promise<void>;
};
export type SecretAt = { readonly project: string; readonly idOrUid: string };

/** By kind of object; a kind that there is not answers undefined. */
export type DefinitionRecords = {
  /** What nobody has set yet is empty, of version 0. */
  readonly find: (reader: Reader, kind: string) => Promise<Definition | undefined>;
  /** Those that somebody has set, in the order of their names. */
  readonly list: (reader: Reader) => Promise<readonly Definition[]>;
  /** Locks the row until the transaction ends; its version has grown. */
  readonly lock: (tx: Tx, kind: string) => Promise<Definition | undefined>;
  /** Writes a row that this transaction has locked. */
  readonly save: (tx: Tx, definition: Definition) => Promise<void>;
};

export type UserRecords = Records<User, Record<never, never>> & {
  /** Writes the grants of a user that this transaction has locked. */
  readonly saveGrants: (tx: Tx, user: User) => Promise<void>;
  /**
   * How many other users are administrators of the system. Until the transaction ends no other one
   * can ask: two administrators that remove each other at the same moment must not both find one
   * left.
   */
  readonly countOtherAdmins: (tx: Tx, userUid: string) => Promise<number>;
  /** Takes away what every user holds in that project, whose name may be given to another. */
  readonly removeGrantsInProject: (tx: Tx, project: string) => Promise<void>;
};

/** Empty = of all users. */
export type OwnerFilter = { readonly userUid: string };

export type TokenRecords = Records<Token, OwnerFilter> & {
  readonly findByHash: (reader: Reader, hash: string) => Promise<Token | undefined>;
  readonly removeOfUser: (tx: Tx, userUid: string) => Promise<void>;
  /** Raises the time of last use; never lowers it. */
  readonly noteUse: (tx: Tx, uid: string, lastUseMs: number) => Promise<void>;
  /** Removes tokens that ended before; answers how many. */
  readonly removeExpired: (tx: Tx, beforeMs: number, limit: number) => Promise<number>;
};

export type CertificateRecords = Records<AppCertificate, OwnerFilter> & {
  /** Writes a row that this transaction has locked. */
  readonly save: (tx: Tx, certificate: AppCertificate) => Promise<void>;
  readonly removeOfUser: (tx: Tx, userUid: string) => Promise<void>;
};

export type JoinTokenRecords = {
  readonly insert: (tx: Tx, token: JoinToken) => Promise<void>;
  readonly findByHash: (reader: Reader, hash: string) => Promise<JoinToken | undefined>;
  /** False: another join burned it first. */
  readonly burn: (tx: Tx, uid: string, nowMs: number) => Promise<boolean>;
  readonly removeOld: (tx: Tx, beforeMs: number, limit: number) => Promise<number>;
};

export type AgentRecords = {
  /** Errors: already_exists while another agent of that name is not revoked. */
  readonly insert: (tx: Tx, agent: AgentRecord) => Promise<void>;
  readonly find: (reader: Reader, uid: string) => Promise<AgentRecord | undefined>;
  /** The one of that name that is not revoked, else the one revoked last; or by uid. */
  readonly findByName: (
    reader: Reader,
    partition: string,
    idOrUid: string,
  ) => Promise<AgentRecord | undefined>;
  readonly revoke: (tx: Tx, agent: AgentRecord, nowMs: number) => Promise<void>;
  /** Agents revoked since; their certificates may still look good. */
  readonly revokedSince: (
    reader: Reader,
    sinceMs: number,
    limit: number,
  ) => Promise<readonly AgentRecord[]>;
};

export type BootstrapRecords = {
  /** False: that token was burned before. */
  readonly burn: (tx: Tx, hash: string, nowMs: number) => Promise<boolean>;
};

export type MetadataRecords = {
  readonly projects: ProjectRecords;
  readonly definitions: DefinitionRecords;
  readonly secrets: SecretRecords;
  readonly users: UserRecords;
  readonly tokens: TokenRecords;
  readonly certificates: CertificateRecords;
  readonly joinTokens: JoinTokenRecords;
  readonly agents: AgentRecords;
  readonly bootstraps: BootstrapRecords;
};

export type AuthorityRecord = {
  readonly uid: string;
  readonly certificatePem: string;
  readonly sealedKey: Sealed;
};

/** Where the CA lies, shared by all replicas. */
export type AuthorityVault = {
  /** Newest first. */
  readonly all: () => Promise<readonly AuthorityRecord[]>;
  /** Does nothing when there is one. */
  readonly insertFirst: (record: AuthorityRecord) => Promise<void>;
};

/** What a project may own in other services. */
export type OwnerQuestions = {
  /**
   * Nouns of what the project still owns, for example "machines". Errors: unavailable when one
   * cannot be asked.
   */
  readonly ownedBy: (project: string, signal: AbortSignal) => Promise<readonly string[]>;
  /** Whether the partition exists. Errors: unavailable. */
  readonly hasPartition: (partition: string, signal: AbortSignal) => Promise<boolean>;
};

/** Tells every process of the installation that a certificate is refused from now on. */
export type RevocationNotices = {
  readonly publish: (
    notice: { readonly kind: 'agent'; readonly uid: string },
    signal: AbortSignal,
  ) => Promise<void>;
};

export type { Grant };
