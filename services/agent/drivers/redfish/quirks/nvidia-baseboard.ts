import type { Quirk } from '../quirk.ts';

const BASEBOARD = /\/HGX_[^/]+\/?$/;

/**
 * Beside the machine the service shows its GPU baseboard as a system of its own, which answers 503
 * while the machine is off.
 */
export const nvidiaBaseboard: Quirk = {
  name: 'nvidia-baseboard',
  source: 'https://github.com/dsx-ai-factory/infra-controller/issues/5418',
  applies: ({ systems }) => systems.some((link) => BASEBOARD.test(link)),
  rules: { partialSystems: BASEBOARD },
};
