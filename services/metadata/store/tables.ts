import type { Generated } from 'kysely';

/**
 * Rows as they lie in the database: columns for what is searched, `doc` for the rest as JSON text.
 */
export type HeadRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  /** The id in lower case. */
  readonly id_key: string;
  readonly version: number;
  readonly doc: string;
};

export type RoleGrantRow = {
  readonly id: Generated<number>;
  readonly user_uid: string;
  readonly role: string;
  /** Empty = no limit. */
  readonly partition_key: string;
  readonly project_key: string;
  readonly doc: string;
};

export type TokenRow = HeadRow & {
  readonly user_uid: string;
  readonly hash: string;
  readonly expire_ms: number;
  readonly last_use_ms: number;
};

export type CertificateRow = HeadRow & { readonly user_uid: string };

export type JoinTokenRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly hash: string;
  readonly expire_ms: number;
  /** 0 = not used. */
  readonly burned_ms: number;
  readonly doc: string;
};

export type AgentRow = {
  readonly id: Generated<number>;
  readonly uid: string;
  readonly partition_key: string;
  readonly agent_key: string;
  /** 0 = not revoked. */
  readonly revoked_ms: number;
  readonly doc: string;
};

export type ProjectRow = HeadRow & {
  /** Id of the project inside which it is, in lower case; empty = it is at the top. */
  readonly parent_key: string;
};

export type SecretRow = HeadRow & {
  /** Id of its project in lower case. */
  readonly project_key: string;
};

export type MetadataTables = {
  readonly project: ProjectRow;
  readonly definition: HeadRow;
  readonly secret: SecretRow;
  readonly person: HeadRow;
  readonly role_grant: RoleGrantRow;
  readonly token: TokenRow;
  readonly certificate: CertificateRow;
  readonly authority: {
    readonly id: Generated<number>;
    readonly uid: string;
    /** "root" for the first: there can be only one of it. */
    readonly slot: string;
    readonly doc: string;
  };
  readonly join_token: JoinTokenRow;
  readonly agent: AgentRow;
  readonly bootstrap: {
    readonly id: Generated<number>;
    readonly hash: string;
    readonly burned_ms: number;
  };
  readonly guard: { readonly name: string; readonly version: number };
};
