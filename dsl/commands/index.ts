/**
 * Every built-in and filter, by name.
 *
 * @module
 */
import { awk } from "./awk.ts";
import { basename } from "./basename.ts";
import { breakCommand } from "./break.ts";
import { builtin } from "./builtin.ts";
import { cat } from "./cat.ts";
import { cd } from "./cd.ts";
import { cmp } from "./cmp.ts";
import { colon } from "./colon.ts";
import { comm } from "./comm.ts";
import type { Command } from "./command.ts";
import { command } from "./command_builtin.ts";
import { continueCommand } from "./continue.ts";
import { cp } from "./cp.ts";
import { cut } from "./cut.ts";
import { date } from "./date.ts";
import { declare, typeset } from "./declare.ts";
import { diff } from "./diff.ts";
import { dirname } from "./dirname.ts";
import { dirs } from "./dirs.ts";
import { dot, source } from "./dot.ts";
import { echo } from "./echo.ts";
import { env } from "./env.ts";
import { evalCommand } from "./eval.ts";
import { exec } from "./exec.ts";
import { exit } from "./exit.ts";
import { exportCommand } from "./export.ts";
import { expr } from "./expr.ts";
import { falseCommand } from "./false.ts";
import { find } from "./find.ts";
import { getopts } from "./getopts.ts";
import { grep } from "./grep.ts";
import { hash } from "./hash.ts";
import { head } from "./head.ts";
import { hostname } from "./hostname.ts";
import { id, whoami } from "./id.ts";
import { kill } from "./kill.ts";
import { letCommand } from "./let.ts";
import { ln } from "./ln.ts";
import { local } from "./local.ts";
import { ls } from "./ls.ts";
import { mapfile, readarray } from "./mapfile.ts";
import { mkdir } from "./mkdir.ts";
import { mktemp } from "./mktemp.ts";
import { mv } from "./mv.ts";
import { paste } from "./paste.ts";
import { popd } from "./popd.ts";
import { printenv } from "./printenv.ts";
import { printf } from "./printf.ts";
import { pushd } from "./pushd.ts";
import { pwd } from "./pwd.ts";
import { read } from "./read.ts";
import { readlink } from "./readlink.ts";
import { readonlyCommand } from "./readonly.ts";
import { realpath } from "./realpath.ts";
import { refused } from "./refused.ts";
import { returnCommand } from "./return.ts";
import { rm } from "./rm.ts";
import { rmdir } from "./rmdir.ts";
import { sed } from "./sed.ts";
import { seq } from "./seq.ts";
import { set } from "./set.ts";
import { bash, sh } from "./sh.ts";
import { shift } from "./shift.ts";
import { shopt } from "./shopt.ts";
import { sleep } from "./sleep.ts";
import { sort } from "./sort.ts";
import { ssh } from "./ssh.ts";
import { stat } from "./stat.ts";
import { sync } from "./sync.ts";
import { tac } from "./tac.ts";
import { tail } from "./tail.ts";
import { tee } from "./tee.ts";
import { bracket, test } from "./test.ts";
import { touch } from "./touch.ts";
import { tr } from "./tr.ts";
import { trap } from "./trap.ts";
import { trueCommand } from "./true.ts";
import { type } from "./type.ts";
import { ulimit } from "./ulimit.ts";
import { umask } from "./umask.ts";
import { uniq } from "./uniq.ts";
import { unset } from "./unset.ts";
import { wait } from "./wait.ts";
import { wc } from "./wc.ts";
import { which } from "./which.ts";
import { xargs } from "./xargs.ts";

/** The registry. */
export const commands: ReadonlyMap<string, Command> = new Map(
  [
    ...[
      basename,
      bash,
      bracket,
      breakCommand,
      builtin,
      cat,
      cd,
      colon,
      command,
      continueCommand,
      cut,
      declare,
      dirname,
      dot,
    ],
    ...[
      echo,
      evalCommand,
      exec,
      exit,
      exportCommand,
      expr,
      falseCommand,
      getopts,
      grep,
      head,
      kill,
      letCommand,
    ],
    ...[
      local,
      ls,
      mkdir,
      printf,
      pwd,
      read,
      readlink,
      readonlyCommand,
      returnCommand,
      rm,
      rmdir,
      seq,
      set,
      sh,
      shift,
      sleep,
    ],
    ...[
      sort,
      source,
      ssh,
      tail,
      tee,
      test,
      tr,
      trap,
      trueCommand,
      type,
      typeset,
      ulimit,
      umask,
      uniq,
      unset,
      wait,
      wc,
    ],
    ...[awk, cp, dirs, find, ln, mv, popd, pushd, sed, shopt, touch, xargs],
    ...[
      cmp,
      comm,
      date,
      diff,
      env,
      hash,
      hostname,
      id,
      mapfile,
      mktemp,
      paste,
      printenv,
      readarray,
      realpath,
      stat,
      sync,
      tac,
      which,
      whoami,
    ],
    ...refused,
  ].map((one) => [one.name, one]),
);
