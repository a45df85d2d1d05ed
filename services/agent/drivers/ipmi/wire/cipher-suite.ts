/**
 * The two sets of algorithms that we use (IPMI 2.0 §22.15.2, table 22-20). Never 0: it lets anybody
 * in without a password. Never 1 and 2: they leave everything, the passwords of other users among
 * it, readable on the wire. 6 to 14 rest on MD5 or leave out encryption or integrity, too.
 */
export type SuiteId = 3 | 17;

export type CipherSuite = {
  readonly id: SuiteId;
  readonly name: string;
  /** Numbers of the algorithms on the wire: tables 13-17, 13-18, 13-19. */
  readonly authentication: number;
  readonly integrity: number;
  readonly confidentiality: number;
  readonly hash: 'sha1' | 'sha256';
  /** How many bytes of the hash authenticate a packet. */
  readonly codeBytes: number;
};

const SHA1: CipherSuite = {
  id: 3,
  name: 'RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128',
  authentication: 0x01,
  integrity: 0x01,
  confidentiality: 0x01,
  hash: 'sha1',
  codeBytes: 12,
};

const SHA256: CipherSuite = {
  id: 17,
  name: 'RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128',
  authentication: 0x03,
  integrity: 0x04,
  confidentiality: 0x01,
  hash: 'sha256',
  codeBytes: 16,
};

/** The better one first. */
export const CIPHER_SUITES: readonly CipherSuite[] = [SHA256, SHA1];

export const cipherSuite = (id: SuiteId): CipherSuite => (id === 17 ? SHA256 : SHA1);

/** The suite that these algorithms make; undefined: one that we do not use. */
export const suiteOf = (algorithms: Algorithms): CipherSuite | undefined =>
  CIPHER_SUITES.find(
    (suite) =>
      suite.authentication === algorithms.authentication &&
      suite.integrity === algorithms.integrity &&
      suite.confidentiality === algorithms.confidentiality,
  );

export type Algorithms = Pick<CipherSuite, 'authentication' | 'integrity' | 'confidentiality'>;

const STANDARD_RECORD = 0xc0;
const OEM_RECORD = 0xc1;
const OEM_IANA_BYTES = 3;
const TAG_BITS = 0xc0;

/** Ids of the standard suites in the data of Get Channel Cipher Suites. */
export const decodeSuiteIds = (records: Buffer): readonly number[] => {
  const found: number[] = [];
  for (let at = 0; at < records.length; at += 1) {
    const byte = records.readUInt8(at);
    if (byte === STANDARD_RECORD) {
      const id = records[at + 1];
      if (id !== undefined) found.push(id);
      at += 1;
    } else if (byte === OEM_RECORD) {
      at += 1 + OEM_IANA_BYTES;
    } else if ((byte & TAG_BITS) === TAG_BITS) {
      // Neither the start of a record nor an algorithm: what follows cannot be told.
      return found;
    }
  }
  return found;
};

export const encodeSuites = (suites: readonly CipherSuite[]): Buffer =>
  Buffer.from(
    suites.flatMap(({ id, authentication, integrity, confidentiality }) => [
      ...[STANDARD_RECORD, id, authentication],
      ...[0x40 | integrity, 0x80 | confidentiality],
    ]),
  );
