# What scripts share that watch another process.
# wait_for PID COMMAND...: until the command succeeds; fails when the process has ended without. No time is set here: a
# machine may be slow, and ctest ends a test that hangs.
wait_for() {
  local pid=$1; shift
  until "$@" 2>/dev/null; do
    kill -0 "$pid" 2>/dev/null || { "$@" 2>/dev/null; return; }
    sleep 0.02
  done
}
