/**
 * A UUID as IPMI sends it: all sixteen bytes in reverse (IPMI 2.0 §20.8, table 20-10), which is
 * neither the order of RFC 9562 nor that of SMBIOS.
 */
export const guidOf = (uuid: string): Buffer =>
  Buffer.from(Buffer.from(uuid.replaceAll('-', ''), 'hex').toReversed());
