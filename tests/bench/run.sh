#!/usr/bin/env bash
# Side by side: `shimbox run`, the floor, crun, runc and bubblewrap; medians, ratios, peak memory.
# Then what spark.py, lifecycle.py and their neighbours measure.
# SPDX-License-Identifier: Apache-2.0
#
# tests/bench/run.sh           as root, from the project's root (`make bench`)
#   SHIMBOX=build/shimbox      the binary
#   OUTPUT=build/bench.json    where the numbers go, in the format of hyperfine --export-json, all
#                              rounds joined, with peak_kib added
#   NO_TRACE=build/bench/no-trace/shimbox    the same without --trace, to see what that costs off
#   SMALL=build/small/shimbox  that of init alone
#   TOOLS=FOLDER               where compile.sh has put its programs already
#   SMALLEST=0                 without the smallest limit of memory, which takes minutes
#   ROUNDS=10 RUNS=30          every command runs RUNS times in each of ROUNDS turns, so that noise
#                              hits all alike; the medians are over ROUNDS * RUNS
# The same calls as `run` makes: floor --seal --by-descriptor.
# Peers that are not installed, or that cannot run here, are named. Nothing is asserted about time.
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "bench: needs root" >&2; exit 2; }
command -v hyperfine jq >/dev/null || { echo "bench: needs hyperfine and jq" >&2; exit 2; }

# A private mount namespace, where /sys/fs/cgroup can be version 2 whatever the machine has.
if [ "${BENCH_INSIDE:-}" != $$ ]; then
    exec unshare --mount --propagation private \
        bash -c 'export BENCH_INSIDE=$$; exec bash "$@"' bash "$0" "$@"
fi
if [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]; then
    mount -t cgroup2 none /sys/fs/cgroup || echo "bench: no cgroup version 2 here" >&2
fi

top=$(pwd -P) here=$(cd "$(dirname "$0")" && pwd -P)
shimbox=$(realpath -m "${SHIMBOX:-build/shimbox}")
output=${OUTPUT:-build/bench.json} rounds=${ROUNDS:-10} runs=${RUNS:-30}
tools=${TOOLS:-$top/build/bench}
mkdir -p "$top/build/bench"
work=$(mktemp -d "$top/build/bench/run.XXXXXX")
cgroup=/sys/fs/cgroup/shimbox-bench.$$
clean() {
    umount "$work/state" "$work/scale/state" 2>/dev/null || true
    rmdir "$cgroup" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap clean EXIT
mkdir "$cgroup" || true
# State where it is on a machine of its own: in memory, as /run is.
mkdir "$work/state"
mount -t tmpfs none "$work/state"

[ -n "${TOOLS:-}" ] || "$here/compile.sh" "$tools"

rootfs=$work/bundle/rootfs
mkdir -p "$rootfs"/{proc,sys,dev,tmp,bin,etc}
cp "$tools/empty" "$rootfs/bin/true"

names=() commands=() missing=()
# add NAME COMMAND: takes part if COMMAND succeeds once.
add() {
    local complaint
    if complaint=$(bash -c "$2" 2>&1 >/dev/null </dev/null); then
        names+=("$1") commands+=("$2")
    else
        missing+=("$1: ${complaint%%$'\n'*}")
    fi
}

# bundle_of RUNTIME: a folder whose config.json is that of `shimbox spec` less linux.resources (no
# controllers in a version 2 tree where version 1 holds them), or else of `RUNTIME spec`.
bundle_of() {
    local folder=$work/$1
    mkdir -p "$folder"
    if [ -f "$work/bundle/config.json" ]; then
        cp "$work/bundle/config.json" "$folder/config.json"
    else
        (cd "$folder" && "$1" spec)
    fi
    jq --arg root "$rootfs" '.root = {path: $root} | .process.args = ["/bin/true"]
        | .process.terminal = false | del(.linux.resources)' \
        "$folder/config.json" >"$folder/new" && mv "$folder/new" "$folder/config.json"
    echo "$folder"
}

add "floor" "$tools/floor $rootfs /bin/true"
add "floor --seal" "$tools/floor --seal $rootfs /bin/true"
add "floor --seal --by-descriptor" "$tools/floor --seal --by-descriptor $rootfs /bin/true"
add "floor --cgroup" "$tools/floor --cgroup $cgroup $rootfs /bin/true"
add "floor --seal --cgroup" "$tools/floor --seal --cgroup $cgroup $rootfs /bin/true"
if [ ! -x "$shimbox" ]; then
    missing+=("shimbox: $shimbox is not built")
elif (cd "$work/bundle" && "$shimbox" spec -- /bin/true); then
    add "shimbox run" "$shimbox --root $work/state/shimbox run --bundle $work/bundle bench"
    no_trace=$(realpath -m "${NO_TRACE:-build/bench/no-trace/shimbox}")
    if [ -x "$no_trace" ]; then
        add "shimbox run, built without --trace" \
            "$no_trace --root $work/state/shimbox run --bundle $work/bundle bench"
    else
        missing+=("shimbox run, built without --trace: $no_trace is not built")
    fi
    add "shimbox --trace=FILE run" "$shimbox --trace=$work/state/trace.json \
--root $work/state/shimbox run --bundle $work/bundle bench"
    add "shimbox --trace run" \
        "$shimbox --trace --root $work/state/shimbox run --bundle $work/bundle bench"
else
    missing+=("shimbox: spec failed")
fi
for runtime in crun runc; do
    if ! command -v "$runtime" >/dev/null; then
        missing+=("$runtime: not installed")
        continue
    fi
    folder=$(bundle_of "$runtime")
    add "$runtime" "$runtime --root $work/state/$runtime run --bundle $folder bench-$runtime"
    if [ "$runtime" = crun ]; then
        add "crun, no cgroup" "crun --root $work/state/crun --cgroup-manager=disabled \
run --bundle $folder bench-disabled"
    fi
done
if command -v bwrap >/dev/null; then
    add "bubblewrap" "bwrap --unshare-pid --unshare-ipc --unshare-uts --unshare-net \
--unshare-cgroup --bind $rootfs / --proc /proc --dev /dev --tmpfs /tmp --mqueue /dev/mqueue \
--hostname shimbox --cap-drop ALL /bin/true"
else
    missing+=("bubblewrap: not installed")
fi
add "empty program" "$tools/empty"
if [ -x "$shimbox" ]; then
    add "shimbox --version" "$shimbox --version"
fi

compare() {
    local arguments peaks i round words peak
    arguments=()
    for i in "${!names[@]}"; do
        arguments+=(--command-name "${names[i]}" "${commands[i]}")
    done
    for round in $(seq "$rounds"); do
        printf '\rround %d of %d ' "$round" "$rounds" >&2
        hyperfine -N --style none --warmup "${WARMUP:-2}" --runs "$runs" --export-json "$work/round.$round.json" \
            "${arguments[@]}" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    done
    printf '\r' >&2

    peaks='{}'
    for i in "${!names[@]}"; do
        read -ra words <<<"${commands[i]}"
        peak=$("$tools/peak" "${words[@]}" 2>/dev/null) || peak=null
        peaks=$(jq -c --arg name "${names[i]}" --argjson peak "$peak" '.[$name] = $peak' <<<"$peaks")
    done

    jq -s --argjson peaks "$peaks" '
        def middle: sort | if length % 2 == 1 then .[(length - 1) / 2]
                           else (.[length / 2 - 1] + .[length / 2]) / 2 end;
        def mean: add / length;
        def spread: mean as $mean | (map(. - $mean | . * .) | add / (length - 1)) | sqrt;
        {results: [.[0].results[].command as $name
            | [.[].results[] | select(.command == $name)] as $rounds
            | ($rounds | map(.times) | add) as $times
            | {command: $name, mean: ($times | mean), stddev: ($times | spread),
               median: ($times | middle), user: ($rounds | map(.user) | mean),
               system: ($rounds | map(.system) | mean), min: ($times | min), max: ($times | max),
               times: $times, exit_codes: ($rounds | map(.exit_codes) | add),
               peak_kib: $peaks[$name]}]}' "$work"/round.*.json >"$output"

    jq -r --arg runs "$((rounds * runs))" '
        def pad($width): tostring | if length < $width then " " * ($width - length) + . else . end;
        def two: if . == null then "-" else . * 100 | round / 100 end;
        (.results | map({key: .command, value: .median}) | from_entries) as $median
        | "median of \($runs) runs each; ratios of medians; KiB: highest peak of one process",
          "      ms  x floor  x same calls  x crun     KiB  command",
          (.results[] | ([(.median * 1000 | two | pad(8)), (.median / $median["floor"] | two | pad(9)),
            (.median / $median["floor --seal --by-descriptor"] | two | pad(14)),
            ((if $median["crun"] then .median / $median["crun"] else null end) | two | pad(8)),
            (.peak_kib // "-" | pad(8))] | join("")) + "  " + .command)' "$output"
    jq -rs --arg without "shimbox run, built without --trace" '
        [.[].results | map({key: .command, value: .median}) | from_entries | select(has($without))
            | (.["shimbox run"] - .[$without]) * 1e6 | round] | sort
        | if length == 0 then empty
          else "--trace, off: \(.[length / 2 | floor]) us, in single rounds \(.[0]) to \(.[-1])" end
        ' "$work"/round.*.json
}
if [ "$((rounds * runs))" = 0 ]; then
    missing+=("commands side by side: 0 rounds")
else
    compare
fi
for peer in "${missing[@]}"; do
    echo "not measured: $peer"
done

# part NAME WORK ROUNDS ARGUMENT...: NAME.py, which needs one round at least.
part() {
    if [ "$3" = 0 ]; then
        echo "not measured: $1: 0 rounds"
    else
        python3 "$here/$1.py" "$tools" "${@:2}"
    fi
}

# A folder that mapped ids may enter, too.
if [ -x "$shimbox" ]; then
    chmod 755 "$work"
    mkdir -p "$work/scale"/{state,units}
    cp -a "$rootfs" "$work/scale/rootfs"
    mount -t tmpfs none "$work/scale/state"
    jq --arg root "$work/scale/rootfs" '.root = {path: $root} | del(.linux.resources)' \
        "$work/bundle/config.json" >"$work/scale/config.json"
    part scale "$work/scale" "${SCALE_ROUNDS:-$rounds}" "$shimbox" "$(command -v crun || true)"
    part lifecycle "$work/scale" "${LIFECYCLE_ROUNDS:-$rounds}" "$shimbox" \
        "$(command -v crun || true)" "$(command -v runc || true)"
    part spark "$work/scale" "${SPARK_ROUNDS:-$rounds}" "$shimbox" "$(command -v crun || true)"
    part toolbox "$work/scale" "${TOOLBOX_ROUNDS:-$((rounds * runs))}" "$shimbox"
    part init "$work" "${TOOLBOX_ROUNDS:-$((rounds * runs))}" \
        "$(realpath -m "${SMALL:-build/small/shimbox}")" "$shimbox"
    part boot "$work" "${BOOT_ROUNDS:-3}" "$shimbox"
    # The machine has the binary of the build.
    [ "$shimbox" != "$top/build/shimbox" ] || [ "${SMALLEST:-1}" = 0 ] || python3 "$here/smallest.py"
fi
