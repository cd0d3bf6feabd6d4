#!/usr/bin/env bash
# Does a run live through a real Slurm? Time limit, requeue, a chain of stages, a killed rank, a dead node.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

usage() {
  cat <<'TEXT'
usage: scripts/slurm_test.sh [--program PROGRAM] [--keep] [PART...]
Starts munged, slurmctld and two slurmd on 127.0.0.1 and runs jobs of two ranks on them. Takes about
10 minutes; meant for the night. Parts (default: all):
  chain   the jobs of plan --slurm: time limit, save, requeue after code 85, resume, second stage
  rank    a rank is killed: the job ends within 30 s with code 6, and the same job continues the run
  node    a node dies with all its processes: Slurm requeues the job, which continues the run
Each part's run must end with the same bits as one that nothing disturbed.
  --program PROGRAM   the program under test (default: build/release/stagedtrain)
  --keep              keep the temporary folder, with the logs of daemons and jobs
Slurm's Debian packages are unpacked into the temporary folder; nothing is installed. Exits with 77
where that is not possible. Needs Debian 12's apt-get, python3, and root.
TEXT
}

program=build/release/stagedtrain keep=
while (($#)); do
  case $1 in
    --program) program=${2:?--program needs a path} && shift 2 ;;
    --keep) keep=1 && shift ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && fail 2 "scripts/slurm_test.sh: unknown option '$1'" ;;
    *) break ;;
  esac
done
parts=("$@")
((${#parts[@]})) || parts=(chain rank node)
for part in "${parts[@]}"; do
  [[ $part == chain || $part == rank || $part == node ]] ||
    fail 2 "scripts/slurm_test.sh: found part '$part'; expected chain, rank or node"
done
[[ -x $program ]] || fail 2 "scripts/slurm_test.sh: there is no program $program; build it, or give --program"
program=$(realpath -- "$program")

skip() { fail 77 "SKIP: scripts/slurm_test.sh $*"; }
((EUID == 0)) || skip "needs root, because slurmd starts jobs as their users"
for needed in apt-get dpkg-deb python3 setsid; do
  command -v "$needed" >/dev/null || skip "needs $needed"
done

# -- the cluster -------------------------------------------------------------------------------------
work=$(mktemp -d /tmp/stagedtrain-slurm.XXXXXX)
root=$work/root
nodes=(127.0.0.1 127.0.0.2)  # names that need no name server; srun lists them as 127.0.0.[1-2]
declare -A daemon=()         # process numbers by name

stop_daemon() {
  local process=${daemon[$1]:-}
  [[ $process ]] || return 0
  kill "-${2:-TERM}" "$process" 2>/dev/null || true
  wait "$process" 2>/dev/null || true
  unset "daemon[$1]"
}

# The processes that this test's daemons and jobs consist of; \$SLURM_CONF names its folder.
processes() {
  grep -lzsx "SLURM_CONF=$work/slurm.conf" /proc/[0-9]*/environ | cut -d/ -f3 | grep -vx "$$" || true
}

# The ranks of training, "RANK NODE PROCESS" in each line. Scripts and srun are no ranks.
ranks() {
  local process
  for process in $(processes); do
    [[ $(cat "/proc/$process/comm" 2>/dev/null) == stagedtrain ]] || continue
    tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null |
      awk -F= -v p="$process" '$1 == "SLURM_PROCID" {r = $2} $1 == "SLURMD_NODENAME" {n = $2} END {print r, n, p}'
  done
}

# What a loss of power does to a node: its slurmd, the daemons of its job steps and all that they started.
kill_node() {
  local process parent
  stop_daemon "$1" KILL
  for process in $(processes); do
    grep -qzsx "SLURMD_NODENAME=$1" "/proc/$process/environ" || continue
    parent=$(awk '{print $4}' "/proc/$process/stat" 2>/dev/null) || continue
    [[ $(cat "/proc/$parent/comm" 2>/dev/null) != slurmstepd* ]] || kill -KILL "$parent" 2>/dev/null || true
    kill -KILL "$process" 2>/dev/null || true
  done
}

# Ends all daemons, and what jobs left.
clean_up() {
  local name process
  set +e
  if [[ ${daemon[slurmctld]:-} ]]; then scancel --user root 2>/dev/null; fi
  for name in "${!daemon[@]}"; do stop_daemon "$name"; done
  for process in $(processes); do kill -KILL "$process" 2>/dev/null; done
  if [[ $keep ]]; then say "kept: $work"; else rm -rf "$work"; fi
}

unpack_slurm() {
  say "Fetching Slurm's packages"
  mkdir -p "$work/packages/partial" "$root"
  apt-get -qq -o Dir::Cache::archives="$work/packages" install -y --no-install-recommends --reinstall \
    --download-only slurmctld slurmd slurm-client munge >"$work/apt.log" 2>&1 ||
    skip "found no Slurm to fetch (apt-get update may help): $(tail -n 1 "$work/apt.log")"
  for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$root"; done
  local libraries
  libraries=$root/usr/lib/$(uname -m)-linux-gnu
  plugins=$libraries/slurm-wlm
  export LD_LIBRARY_PATH=$libraries:$plugins PATH=$root/usr/bin:$root/usr/sbin:$PATH SLURM_CONF=$work/slurm.conf
}

free_ports() {
  python3 -c 'import socket
sockets = [socket.socket() for _ in range(3)]
for s in sockets: s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))'
}

# Requeued jobs wait until their credentials have expired, hence cred_expire.
write_configuration() {
  local ports
  read -ra ports <<<"$(free_ports)"
  cat >"$SLURM_CONF" <<CONF
ClusterName=stagedtrain
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=${ports[0]}
SlurmUser=root
SlurmdUser=root
PluginDir=$plugins
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket,cred_expire=10
CryptoType=crypto/munge
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool-%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd-%n.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SlurmdTimeout=10
ReturnToService=2
KillWait=30
JobRequeue=0
SchedulerParameters=bf_interval=5,sched_interval=5
NodeName=${nodes[0]} NodeAddr=127.0.0.1 Port=${ports[1]} CPUs=1
NodeName=${nodes[1]} NodeAddr=127.0.0.1 Port=${ports[2]} CPUs=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

# The disk of a node that starts again is empty: slurmd refuses a job whose script is there already.
start_node() {
  rm -rf "$work/spool-$1"
  slurmd-wlm -D -N "$1" -d "$root/usr/sbin/slurmstepd-wlm" >>"$work/daemons.log" 2>&1 &
  daemon[$1]=$!
}

start_cluster() {
  ulimit -c 0  # daemons that are killed here must not leave core files
  mkdir -p "$work/state"
  install -m 400 <(head -c 128 /dev/urandom) "$work/munge.key"
  munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" \
    --pid-file="$work/munged.pid" --log-file="$work/munged.log" --seed-file="$work/munged.seed" \
    >>"$work/daemons.log" 2>&1 &
  daemon[munged]=$!
  slurmctld-wlm -D -c >>"$work/daemons.log" 2>&1 &
  daemon[slurmctld]=$!
  for node in "${nodes[@]}"; do start_node "$node"; done
  wait_for 60 "two idle nodes" nodes_are_idle
}

node_is_down() { [[ $(sinfo -h -n "$1" -o %T) == down* ]]; }
nodes_are_idle() { [[ $(sinfo -h -N -o %T 2>/dev/null | sort -u) == idle && $(sinfo -h -N | wc -l) == 2 ]]; }

# -- jobs ----------------------------------------------------------------------------------------------
# wait_for SECONDS WHAT COMMAND...: until the command succeeds. Ends the test if it does not.
wait_for() {
  local seconds=$1 what=$2 end=$((SECONDS + $1))
  shift 2
  until "$@"; do
    if ((SECONDS >= end)); then broken "waited $seconds s for $what"; fi
    sleep 0.2
  done
}

broken() {
  say "FAILED: $*"
  squeue >&2 || true
  tail -n 25 "$work"/jobs-*/*.log >&2 2>/dev/null || true
  tail -n 5 "$work"/slurm*.log >&2 2>/dev/null || true
  exit 1
}

job_field() { scontrol -o show job "$1" | grep -oP "(?<= $2=)\S+"; }
job_is() { [[ $(job_field "$1" JobState) =~ ^($2)$ ]]; }

# A schedule; measure_steps decides the length of its first stage.
write_schedule() {
  local words=$work/text.txt
  python3 - "$words" <<'PY'
import random, sys
random.seed(1)
words = ["".join(random.choices("etaoinshrdlu", k=random.randint(2, 8))) for _ in range(300)]
open(sys.argv[1], "w").write(" ".join(random.choices(words, k=40000)))
PY
  "$program" data "$words" --out "$work/data" >/dev/null 2>&1
  cat >"$work/test.yaml" <<YAML
seed: 3
data: {train: $work/data/train.bin, validation: $work/data/validation.bin}
model: {architecture: gpt2, layers: 2, width: 64, heads: 2, context: 64, vocab: 256}
batch: {sequences: 16, micro: 4}
lr: {curve: wsd, peak: 3e-3, warmup: 10 steps, decay: 20%}
stages:
  - {name: small, model: {layers: 1}, for: 100 steps}
  - {name: full, grow: [{operator: depth, layers: 2}], for: 50 steps}
evaluate: {every: 0, tokens: 2K}
checkpoint: {every: 50 steps, keep: 2}
YAML
}

# Sets steps, the length of the first stage: about a minute on two ranks of this machine.
measure_steps() {
  "$program" train "$work/test.yaml" --out "$work/measured" --stage small --processes 2 \
    >"$work/measured.log" 2>&1 || broken "training without Slurm: $(tail -n 3 "$work/measured.log")"
  steps=$(python3 - "$work/measured/run.jsonl" <<'PY'
import json, statistics, sys
points = [e for e in map(json.loads, open(sys.argv[1])) if e["event"] == "step"]
tokens = statistics.median(e["tokens_per_second"] for e in points[1:])
print(int(min(1e6, max(200, 60 * tokens / (16 * 64)))))
PY
  )
}

# The weights and moments at the end of a run's stage.
end_of() {
  "$program" show "$1/stages/$2.h5" --json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["tensors_identity"])'
}

# The jobs of plan --slurm for two nodes, which they request. The time limit is given to submit.sh, as a user would.
write_jobs() {
  "$program" plan "$work/test.yaml" --set "stages.small.for=$steps" --set 'machine={devices: 1, nodes: 2}' \
    --slurm "$work/jobs-$1" >"$work/plan.log" 2>&1 ||
    broken "plan --slurm: $(tail -n 3 "$work/plan.log")"
}

# submit PART [OPTION...]: submits the part's chain, and sets jobs to the jobs' numbers.
submit() {
  local part=$1
  shift
  "$work/jobs-$part/submit.sh" --cpus-per-task=1 "$@" >"$work/submit.log" 2>&1 ||
    broken "submit.sh: $(cat "$work/submit.log")"
  mapfile -t jobs < <(grep -oP '(?<=^job )\d+' "$work/submit.log")
  ((${#jobs[@]} == 2)) || broken "submit.sh: expected 2 jobs, found: $(cat "$work/submit.log")"
}

over="COMPLETED|FAILED|TIMEOUT|NODE_FAIL|CANCELLED"
log_of() { cat "$work/jobs-$1"/*-"$2".log 2>/dev/null; }
events() { grep -cs "\"event\":\"$2\"" "$work/jobs-$1/run/run.jsonl" || true; }

# Whether the run has trained since it began or was resumed for the last time, $2 times in all.
trains_again() {
  [[ $(events "$1" resume) -ge $2 ]] &&
    tail -n 1 "$work/jobs-$1/run/run.jsonl" 2>/dev/null | grep -q '"event":"\(step\|checkpoint\)"'
}

check_completed() {
  local job
  for job in "${jobs[@]}"; do
    wait_for 900 "job $job to end" job_is "$job" "$over"
    job_is "$job" COMPLETED || broken "$1: job $job ended as $(job_field "$job" JobState)"
  done
}

check_ends() {
  local stage
  for stage in small full; do
    [[ $(end_of "$work/jobs-$1/run" $stage) == "$(end_of "$work/reference" $stage)" ]] ||
      broken "$1: the end of stage $stage has other bits than that of the run that nothing disturbed"
  done
}

check_log() {
  log_of "$1" "${jobs[0]}" | grep -qE -- "$2" || broken "$1: the job's log has no line with: $2"
}

# -- the parts ---------------------------------------------------------------------------------------
part_chain() {
  submit chain --time=1 --signal=B:USR1@20
  wait_for 60 "the first job to start" job_is "${jobs[0]}" RUNNING
  job_is "${jobs[1]}" PENDING || broken "chain: the second job does not wait for the first"
  check_completed chain
  local restarts
  restarts=$(job_field "${jobs[0]}" Restarts)
  ((restarts > 0)) || broken "chain: the first job was not requeued"
  check_log chain "stopped by SIGUSR1 while training"
  check_log chain "resuming from .*checkpoints/step-"
  say "chain: saved and requeued before the time limit $restarts times; two stages"
}

part_rank() {
  submit rank --time=10
  wait_for 120 "the first steps" trains_again rank 0
  sleep 2
  local victim start=$EPOCHREALTIME
  victim=$(ranks | awk '$1 == 1 {print $3}')
  kill -KILL "$victim" || broken "rank: found no process of rank 1"
  wait_for 60 "the job to end" job_is "${jobs[0]}" "$over"
  local seconds
  seconds=$(awk "BEGIN {printf \"%.1f\", $EPOCHREALTIME - $start}")
  ((${seconds%.*} < 30)) || broken "rank: the job ended after $seconds s; expected 30 s at most"
  [[ $(job_field "${jobs[0]}" ExitCode) == 6:0 ]] ||
    broken "rank: code $(job_field "${jobs[0]}" ExitCode); expected 6:0"
  check_log rank "rank 1 on .* \(process $victim, local rank [0-9]+\) was lost while [a-z]+, step [0-9]+ of stage small"
  say "rank: the job ended $seconds s after rank 1 was killed:" "$(log_of rank "${jobs[0]}" | grep -m 1 'was lost')"
  submit rank --time=10
  check_completed rank
  check_log rank "resuming from .*checkpoints/step-"
}

part_node() {
  export STAGEDTRAIN_REQUEUE_AFTER=0
  submit node --time=10
  local node times=0 start
  for node in "${nodes[1]}" "${nodes[0]}"; do
    wait_for 180 "steps of the job" trains_again node $times
    sleep 2
    kill_node "$node"
    start=$SECONDS
    wait_for 120 "the job to leave the nodes" job_is "${jobs[0]}" PENDING
    say "node: the job was back in the queue $((SECONDS - start)) s after $node died"
    wait_for 60 "slurmctld to miss $node" node_is_down "$node"
    start_node "$node"
    times=$((times + 1))
  done
  check_completed node
}

trap clean_up EXIT
trap 'exit 130' INT TERM
unpack_slurm
write_configuration
start_cluster
export XDG_CACHE_HOME=$work/cache OMP_NUM_THREADS=1
write_schedule
measure_steps
say "Training $steps steps without Slurm"
"$program" train "$work/test.yaml" --set "stages.small.for=$steps" --out "$work/reference" --processes 2 \
  >"$work/reference.log" 2>&1 || broken "training without Slurm: $(tail -n 3 "$work/reference.log")"
for part in "${parts[@]}"; do
  start=$SECONDS
  write_jobs "$part"
  "part_$part"
  check_ends "$part"
  say "$part: passed in $((SECONDS - start)) s, with the same bits as without Slurm"
done
