import type { ToolName } from '../tools/catalog.ts';
import { fetchTools } from '../tools/fetch.ts';
import { findKernel, type Kernel, type Program } from '../tools/program.ts';

/** What virtual machines need of this system, or why they cannot run here. */
export type GuestTools =
  | {
      readonly kind: 'ready';
      readonly qemu: Program;
      readonly qemuImg: Program;
      readonly busybox: Program;
      readonly kernelPackageDir: string;
      readonly kernel: Kernel;
    }
  | {
      readonly kind: 'missing';
      /** What is missing, and why it could not be brought, one by one. */
      readonly reasons: readonly string[];
      /** Only what is missing: "qemu, busybox". */
      readonly names: string;
      readonly cure: string;
    };

const WANTED: readonly ToolName[] = ['qemu', 'qemu-img', 'busybox', 'kernel'];

export const prepareGuestTools = async (options: {
  readonly toolsDir: string;
  readonly installSystem: boolean;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}): Promise<GuestTools> => {
  const results = await fetchTools({ ...options, wanted: WANTED });
  const found = new Map<ToolName, Program>();
  const reasons: string[] = [];
  let cure = '';
  for (const [name, result] of results) {
    if (result.kind === 'found') found.set(name, result.program);
    else {
      reasons.push(`${name}: ${result.reason}`);
      cure ||= result.cure;
    }
  }
  const [qemu, qemuImg, busybox, kernelDir] = WANTED.map((name) => found.get(name));
  const kernel = kernelDir && findKernel(kernelDir.path);
  if (!qemu || !qemuImg || !busybox || !kernelDir || !kernel) {
    if (kernelDir && !kernel) reasons.push(`kernel: none is in ${kernelDir.path}`);
    const names = WANTED.filter((name) => !found.has(name)).join(', ') || 'kernel';
    return { kind: 'missing', reasons, names, cure };
  }
  return { kind: 'ready', qemu, qemuImg, busybox, kernel, kernelPackageDir: kernelDir.path };
};
