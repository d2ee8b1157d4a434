#!/usr/bin/env bats
# run: its command line, messages and exit codes; what a container is like is in tests/run.
# SPDX-License-Identifier: Apache-2.0

# Scripts in single quotes are for another shell; run_split sets the variables.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

load ../lib/helpers

setup_file() {
    suite=$(mktemp -d /tmp/run-bats.XXXXXX)
    export suite
    chmod 755 "$suite"
    mkdir "$suite/bundle"
    make_rootfs "$suite/bundle/rootfs"
    cp "$SHIMBOX" "$suite/shimbox"
    chmod 755 "$suite/shimbox"
}

teardown_file() {
    rm -rf --one-file-system "$suite"
}

setup() {
    rootfs=$suite/bundle/rootfs
    dir=$(mktemp -d "$suite/test.XXXXXX")
    chmod 755 "$dir"
}

# What a container has mounted shows in the mountinfo of whoever could see it: after a test, nobody
# may.
teardown() {
    if grep -ls -- "$suite" /proc/[0-9]*/mountinfo; then
        return 1
    fi
    rm -rf --one-file-system "$dir"
}

# write_config FILTER [FACT...]: a configuration for the probe in $dir/config.json, changed by jq.
write_config() {
    local filter=$1
    shift
    jq -n --arg root "$rootfs" '{
        ociVersion: "1.0.2",
        process: {args: (["/bin/probe"] + $ARGS.positional), cwd: "/", env: ["PATH=/bin"],
            user: {uid: 0, gid: 0}},
        root: {path: $root},
        mounts: [{destination: "/proc", type: "proc", source: "proc"},
            {destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["mode=755"]}],
        linux: {namespaces: [{type: "pid"}, {type: "mount"}, {type: "network"}, {type: "ipc"},
            {type: "uts"}]}
    } | '"$filter" --args "$@" >"$dir/config.json"
}

# fails MESSAGE [ARG...]: run ARG... ends with 1, says just this on stderr, nothing on stdout.
fails() {
    local message=$1
    shift
    run_split "$SHIMBOX" run "$@"
    assert_status 1
    assert_stdout ""
    assert_stderr "shimbox run: $message"
}

need_static() {
    skip_without "static binary" bash -c 'file -b "$1" | grep -q static' - "$SHIMBOX"
}

# ---- which configuration ----

@test "-b: the bundle's config.json, paths relative to the bundle" {
    write_config '.root.path = "rootfs"' pid cwd
    cp "$dir/config.json" "$suite/bundle/"
    for option in -b --bundle; do
        run_split "$SHIMBOX" run "$option" "$suite/bundle"
        assert_status 0
        assert_stdout $'pid=1\ncwd=/'
        assert_stderr ""
    done
    run_split "$SHIMBOX" run "--bundle=$suite/bundle" some-id
    assert_status 0
    rm "$suite/bundle/config.json"
}

@test "-b: no config.json, no folder" {
    fails "cannot open $dir/config.json: No such file or directory (make one with: shimbox spec --bundle $dir)" -b "$dir"
    fails "cannot open $dir/none/config.json: No such file or directory (make one with: shimbox spec --bundle $dir/none)" -b "$dir/none"
}

@test "--config: a file, and standard input" {
    write_config . uid
    run_split "$SHIMBOX" run --config "$dir/config.json"
    assert_status 0
    assert_stdout $'uid=0\nuid.effective=0\nuid.saved=0\nuid.fs=0'
    assert_stderr ""
    RUN_STDIN=$dir/config.json run_split "$SHIMBOX" run --config -
    assert_status 0
    assert_fact uid=0
    assert_stderr ""
    cd "$dir"
    run_split "$SHIMBOX" run --config=config.json
    assert_status 0
    fails "cannot open nowhere: No such file or directory" --config nowhere
}

@test "--config: what is no configuration" {
    printf '{' >"$dir/c"
    run_split "$SHIMBOX" run --config "$dir/c"
    assert_status 1
    assert_stdout ""
    assert_stderr_has "shimbox run: $dir/c:"
    : >"$dir/c"
    run_split "$SHIMBOX" run --config "$dir/c"
    assert_status 1
    assert_stdout ""
    assert_stderr_has "shimbox run: $dir/c"
    run_split "$SHIMBOX" run --config "$dir"
    assert_status 1
    assert_stdout ""
    assert_stderr_has "Is a directory"
    printf '{"ociVersion":"1.0.0","ociVersion":"1.0.0"}' >"$dir/c"
    run_split "$SHIMBOX" run --config "$dir/c"
    assert_status 1
    assert_stderr_has "ociVersion"
    [ "${#stderr_lines[@]}" = 1 ]
}

@test "without a bundle: the default specification on --rootfs" {
    need_root
    run_split "$SHIMBOX" run --rootfs "$rootfs" -- probe pid hostname cwd
    assert_status 0
    assert_fact pid=1 cwd=/
    assert_stderr ""
    cd "$suite"
    run_split "$SHIMBOX" run --rootfs bundle/rootfs -- /bin/sh -c 'echo $((6 * 7)) | cat; echo err >&2; exit 3'
    assert_status 3
    assert_stdout 42
    assert_stderr err
}

@test "--rootfs takes the place of the config's, relative to the caller" {
    write_config '.root.path = "/no/such"' pid
    cd "$suite/bundle"
    run_split "$SHIMBOX" run --config "$dir/config.json" --rootfs rootfs
    assert_status 0
    assert_stdout pid=1
    run_split "$SHIMBOX" run -b "$dir" --rootfs rootfs
    assert_status 0
    assert_stdout pid=1
    fails "/root/path: cannot open root file system /nowhere: No such file or directory" \
        --rootfs /nowhere -- true
}

@test "the embedded root: nothing but the binary" {
    need_static
    need_root
    cd "$dir"
    cp "$SHIMBOX" ./only
    run_split ./only run
    assert_status 0
    assert_stderr ""
    [[ $stdout == *shimbox* ]]
    "$SHIMBOX" --list >want
    run_split ./only run -- shimbox --list
    assert_status 0
    assert_stdout "$(cat want)"
    assert_stderr ""
    fails "/process/args: cannot find nothing in \$PATH of the container: No such file or directory" -- nothing
}

@test "the embedded root as an ordinary user, with and without subordinate ids" {
    need_static
    need_rootless
    run_split as_user "$suite/shimbox" run -- shimbox --version
    assert_status 0
    assert_stderr ""
    assert_stdout "$("$SHIMBOX" --version)"
    # A root user namespace where the user has no subordinate ids: only itself is mapped.
    run_split as_user unshare --user --map-user=0 --map-group=0 "$suite/shimbox" run -- shimbox --version
    assert_status 0
    assert_stdout "$("$SHIMBOX" --version)"
}

# ---- other options ----

@test "--pid-file: the pid, while and after it runs" {
    write_config . pid
    run_split "$SHIMBOX" run --config "$dir/config.json" --pid-file "$dir/pid"
    assert_status 0
    assert_stdout pid=1
    [[ $(cat "$dir/pid") =~ ^[0-9]+$ ]]
    run_split "$SHIMBOX" run --config "$dir/config.json" --pid-file "$dir/no/pid"
    assert_status 1
    assert_stdout ""
    assert_stderr_has "$dir/no/pid"
    [ "$(cd "$dir" && echo *)" = "config.json pid" ]
}

@test "--preserve-fds: as many as asked for" {
    write_config . fds
    # Descriptor 3 of this shell is bats' own.
    with_files=(bash -c 'exec 3<"$0" 4<"$0" 5</etc/hostname; exec "$@"' "$dir/config.json")
    run_split "${with_files[@]}" "$SHIMBOX" run --config "$dir/config.json"
    assert_fact "fds=0 1 2"
    run_split "${with_files[@]}" "$SHIMBOX" run --config "$dir/config.json" --preserve-fds 2
    assert_status 0
    assert_fact "fds=0 1 2 3 4"
    for number in -1 x 1x "" 4294967296 99999999999999999999; do
        run_split "$SHIMBOX" run --config "$dir/config.json" "--preserve-fds=$number"
        assert_status 1
        assert_stdout ""
        assert_stderr_has "--preserve-fds"
    done
}

@test "--no-pivot: the same container" {
    write_config . list=/ cwd
    run_split "$SHIMBOX" run --config "$dir/config.json" --no-pivot
    assert_status 0
    assert_fact cwd=/
    [[ " $(fact list:/) " == *" bin "* ]]
}

@test "fields that are not applied: a warning each, a refusal with --strict" {
    write_config '.process.user.username = "x" | .vm = {a: 1} | .linux.nonsense = 1 |
        .process.capabilities = {bounding: ["CAP_NONSENSE"]} | .annotations = {a: "b"}' pid
    run_split "$SHIMBOX" run --config "$dir/config.json"
    assert_status 0
    assert_stdout pid=1
    sorted=$(sort <<<"$stderr")
    [ "$sorted" = "$(sort <<'LINES'
shimbox run: warning: /process/user/username is not applied
shimbox run: warning: /vm is not applied
shimbox run: warning: /linux/nonsense is not known
shimbox run: warning: /process/capabilities/bounding/0 is not known
LINES
)" ] || { show_run; return 1; }
    run_split "$SHIMBOX" run --config "$dir/config.json" --strict --pid-file "$dir/pid"
    assert_status 1
    assert_stdout ""
    [ "${#stderr_lines[@]}" = 1 ]
    assert_stderr_has "(--strict)"
    [ ! -e "$dir/pid" ]
    write_config . pid
    run_split "$SHIMBOX" run --config "$dir/config.json" --strict
    assert_status 0
    assert_stderr ""
}

@test "the default specifications are applied without noise, --strict too" {
    need_root
    "$SHIMBOX" spec -o - --rootfs "$rootfs" -- probe pid >"$dir/config.json"
    run_split "$SHIMBOX" run --strict --config "$dir/config.json"
    assert_status 0
    assert_stdout pid=1
    assert_stderr ""
}

# ---- operands ----

@test "the ID: what is one, and what is not" {
    write_config . pid
    for id in a A0 x_y+z-1.2 -- "$(printf 'x%.0s' {1..255})"; do
        run_split "$SHIMBOX" run --config "$dir/config.json" "$id"
        assert_status 0
        assert_stdout pid=1
    done
    for id in .hidden .. a/b "a b" "" é "$(printf 'x%.0s' {1..256})"; do
        fails "container ID '$id' is not allowed (letters, digits and _+-. are, not starting with a dot)" \
            --config "$dir/config.json" "$id"
    done
    fails "unexpected argument 'b' (the program goes behind --)" --config "$dir/config.json" a b
}

@test "-- ARG...: the program, after an ID or without one" {
    write_config . pid
    run_split "$SHIMBOX" run --config "$dir/config.json" -- probe args --help -x
    assert_status 64
    run_split "$SHIMBOX" run --config "$dir/config.json" -- probe args print=--help
    assert_status 0
    assert_fact args.0=probe args.1=args args.2=print=--help
    run_split "$SHIMBOX" run --config "$dir/config.json" web -- probe args
    assert_status 0
    assert_fact args.0=probe
    run_split "$SHIMBOX" run --config "$dir/config.json" --
    assert_status 0
    assert_stdout pid=1
}

@test "bad usage: 1, and a word about the option" {
    for arguments in --nonsense -z "--config" "--strict=1" "-b"; do
        run_split "$SHIMBOX" run $arguments
        assert_status 1
        assert_stdout ""
        assert_stderr_has "shimbox run: "
        [[ ${stderr_lines[0]} == *"${arguments%%=*}"* || ${stderr_lines[0]} == *"${arguments#-}"* ]]
    done
}

@test "--help: on stdout, names every option" {
    run_split "$SHIMBOX" run --help
    assert_status 0
    assert_stderr ""
    for option in -b --bundle --config --pid-file --preserve-fds --no-pivot --rootfs --strict; do
        [[ $stdout == *"$option"* ]] || { echo "$option"; show_run; return 1; }
    done
}

# ---- exit codes ----

@test "the program's exit code, or 128 plus the signal" {
    write_config . exit=0
    for code in 0 1 2 126 127 255; do
        run_split "$SHIMBOX" run --config "$dir/config.json" -- probe "exit=$code"
        assert_status "$code"
        assert_stderr ""
    done
    write_config '.linux.namespaces |= map(select(.type != "pid"))' raise=15
    run_split "$SHIMBOX" run --config "$dir/config.json"
    assert_status 143
    run_split "$SHIMBOX" run --config "$dir/config.json" -- probe raise=9
    assert_status 137
    assert_stderr ""
}

@test "not found, not executable: 1" {
    write_config . pid
    fails "/process/args: cannot find none in \$PATH of the container: No such file or directory" \
        --config "$dir/config.json" -- none
    fails "/process/args: cannot execute /bin/none: No such file or directory" \
        --config "$dir/config.json" -- /bin/none
    fails "/process/args: cannot execute /etc/passwd: Permission denied" \
        --config "$dir/config.json" -- /etc/passwd
}

@test "nothing is left behind, whether it works or fails" {
    write_config . pid
    # Mounts are compared in tests/run, in a mount namespace where nobody else mounts meanwhile.
    (leak_processes) >"$dir/before"
    run_split "$SHIMBOX" run --config "$dir/config.json"
    assert_status 0
    run_split "$SHIMBOX" run --config "$dir/config.json" -- none
    assert_status 1
    write_config '.mounts += [{destination: "/tmp", type: "nonsense"}]' pid
    run_split "$SHIMBOX" run --config "$dir/config.json"
    assert_status 1
    (leak_processes) >"$dir/after"
    diff <(sort "$dir/before") <(sort "$dir/after")
}

# ---- global options ----

@test "--log, --log-format: the message is in the file as well" {
    write_config . pid
    run_split "$SHIMBOX" --log "$dir/log" run --config "$dir/config.json" -- none
    assert_status 1
    assert_stdout ""
    [[ $(cat "$dir/log") == *"cannot find none"* ]] || { cat "$dir/log"; return 1; }
    run_split "$SHIMBOX" --log "$dir/json" --log-format json run --config "$dir/config.json" -- none
    assert_status 1
    [ "$(jq -r .level "$dir/json")" = error ]
    [[ $(jq -r .msg "$dir/json") == *"cannot find none"* ]]
    [ "$(jq -r 'has("time")' "$dir/json")" = true ]
    # Before there is a command whose exit code could count.
    run_split "$SHIMBOX" --log "$dir/none/log" run --config "$dir/config.json"
    assert_status 2
    assert_stdout ""
    assert_stderr_has "$dir/none/log"
}

@test "--debug, --trace: steps on stderr, nothing else changes" {
    write_config . pid
    run_split "$SHIMBOX" --trace run --config "$dir/config.json"
    assert_status 0
    assert_stdout pid=1
    assert_stderr_has "mount proc on /proc"
    assert_stderr_has "execute program"
    run_split "$SHIMBOX" "--trace=$dir/trace.json" run --config "$dir/config.json"
    assert_status 0
    assert_stdout pid=1
    assert_stderr ""
    [ "$(jq -r '[.. | .name? // empty] | any(. == "mount file systems" or . == "mount proc on /proc")' "$dir/trace.json")" = true ]
    run_split "$SHIMBOX" --debug run --config "$dir/config.json"
    assert_status 0
    assert_stdout pid=1
}

@test "--rootless: the kind of the default specification" {
    need_root
    run_split "$SHIMBOX" --rootless true run --rootfs "$rootfs" -- probe read=/proc/self/uid_map
    assert_status 0
    [[ $(fact read:/proc/self/uid_map) != *4294967295* ]] || { show_run; return 1; }
    run_split "$SHIMBOX" --rootless=false run --rootfs "$rootfs" -- probe read=/proc/self/uid_map
    assert_status 0
    [[ $(fact read:/proc/self/uid_map) == *4294967295* ]] || { show_run; return 1; }
}

# ---- ordinary users ----

@test "as an ordinary user: the default specification" {
    need_rootless
    cp -a "$rootfs" "$dir/rootfs"
    chown -R "$test_uid:$test_gid" "$dir/rootfs"
    run_split as_user "$suite/shimbox" run --rootfs "$dir/rootfs" -- probe uid pid read=/proc/self/uid_map
    assert_status 0
    assert_fact uid=0 pid=1
    [[ $(fact read:/proc/self/uid_map) == *" $test_uid "* ]]
    assert_stderr ""
}

@test "as an ordinary user: no user namespace is refused, with a hint" {
    need_rootless
    write_config . pid
    run_split as_user "$suite/shimbox" run --config "$dir/config.json"
    assert_status 1
    assert_stdout ""
    assert_stderr "shimbox run: /linux/namespaces: an ordinary user needs a user namespace here (make the config with: shimbox spec --rootless)"
}

@test "the binary is not touched, and out of the container's reach" {
    need_root
    before=$(sha256sum <"$SHIMBOX")
    write_config . pid
    run_split "$SHIMBOX" run --config "$dir/config.json" -- /bin/sh -c \
        'for i in 1 2 3; do for f in /proc/[0-9]*/exe; do (echo x >"$f") 2>/dev/null; done; done; exit 0'
    assert_status 0
    [ "$(sha256sum <"$SHIMBOX")" = "$before" ]
}
