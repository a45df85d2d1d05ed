/**
 * One installation at a time: two would delete each other's node_modules. The lock is a folder with
 * the processes that hold it, so that one left behind by a kill can be told from a live one. Plain
 * JavaScript for the same reason as bootstrap.mjs.
 */
import fs from 'node:fs';
import path from 'node:path';

const WAIT_LIMIT_MS = 15 * 60 * 1000;
const POLL_MS = 250;

/** Runs `work` while holding `lockDir`; `fail(cause, cure)` must end the process. */
export const withInstallLock = async ({ lockDir, fail, print }, work) => {
  const until = Date.now() + WAIT_LIMIT_MS;
  let told = false;
  while (!tryLock(lockDir, fail)) {
    const holders = readHolders(lockDir);
    const alive = holders.filter(isAlive);
    if (alive.length === 0) {
      removeStale(lockDir, holders);
      continue;
    }
    const pid = alive[0].split(' ')[0];
    if (!told) print(`runmachine: waiting for the installation by process ${pid}`);
    told = true;
    if (Date.now() > until) {
      fail(
        `process ${pid} has been installing for long`,
        `End it, or remove ${lockDir} if it hangs.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const unlock = () => fs.rmSync(lockDir, { recursive: true, force: true });
  process.once('exit', unlock);
  await work();
  unlock();
};

/** npm goes on when its parent is killed; until it ends the lock must hold. */
export const alsoHeldBy = (lockDir, pid) =>
  fs.writeFileSync(path.join(lockDir, `holder-${pid}`), identityOf(pid));

/** A folder and its content appear at once by renaming, which fails where the lock is. */
const tryLock = (lockDir, fail) => {
  const own = `${lockDir}.${process.pid}`;
  try {
    fs.mkdirSync(own, { recursive: true });
    alsoHeldBy(own, process.pid);
  } catch (error) {
    const root = path.dirname(lockDir);
    fail(
      `cannot write to ${root} (${error.code})`,
      `Make it yours: \`sudo chown -R "$(id -un)" ${root}\``,
    );
  }
  try {
    fs.renameSync(own, lockDir);
    return true;
  } catch (_error) {
    fs.rmSync(own, { recursive: true, force: true });
    return false;
  }
};

const readHolders = (folder) => {
  try {
    const files = fs.readdirSync(folder).sort();
    return files.map((file) => fs.readFileSync(path.join(folder, file), 'utf8'));
  } catch (_error) {
    return [];
  }
};

/** A pid may have been given to another process since; its start time tells (on Linux). */
const identityOf = (pid) => {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch (_error) {
    return `${pid} 0`;
  }
};

const isAlive = (holder) => {
  const pid = holder.split(' ')[0];
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  return identityOf(pid) === holder;
};

const removeStale = (lockDir, holders) => {
  const aside = `${lockDir}.stale.${process.pid}`;
  try {
    fs.renameSync(lockDir, aside);
  } catch (_error) {
    return;
  }
  // Somebody else may have cleared the stale one and locked between our look and our rename.
  const same = readHolders(aside).join() === holders.join();
  if (!same && !fs.existsSync(lockDir)) fs.renameSync(aside, lockDir);
  else fs.rmSync(aside, { recursive: true, force: true });
};
