import { constants } from 'node:crypto';

/**
 * TLS as controllers of ten years speak it. Keys of 1024 bits are common there, and so are servers
 * that never heard of secure renegotiation (RFC 5746), which OpenSSL 3 refuses by itself though
 * nobody renegotiates. What such a connection is worth is its certificate, which is pinned.
 */
export const CONTROLLER_TLS = {
  rejectUnauthorized: false,
  minVersion: 'TLSv1.2',
  ciphers: 'DEFAULT:@SECLEVEL=0',
  secureOptions: constants.SSL_OP_LEGACY_SERVER_CONNECT,
} as const;
