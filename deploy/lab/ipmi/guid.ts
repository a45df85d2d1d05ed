import type { GuidOrder } from '../../../services/agent/drivers/ipmi/records/guid.ts';

/**
 * A UUID as IPMI sends it: all sixteen bytes in reverse (IPMI 2.0 §20.8, table 20-10), which is
 * neither the order of RFC 9562 nor that of SMBIOS.
 */
export const guidOf = (uuid: string, order: GuidOrder): Buffer => {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
  if (order === 'rfc') return bytes;
  if (order === 'ipmi') return bytes.reverse();
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
};
