#!/usr/bin/env bats
# Chaining: a hand-over inside one process has the effect of a real exec.
# SPDX-License-Identifier: Apache-2.0
#
# TEST_SHIMBOX is core linked with the test links of tests/chain; by default beside $SHIMBOX.

# Variables are meant for one test (a subshell) only.
# shellcheck disable=SC2030,SC2031

bats_require_minimum_version 1.5.0

setup() {
    # An unprivileged user must be able to reach the binary.
    dir=$(mktemp -d)
    chmod 755 "$dir"
    cp "${TEST_SHIMBOX:-$(dirname "$SHIMBOX")/test-shimbox}" "$dir/box"
    chmod 755 "$dir/box"
    box=$dir/box
    as=()
    # AddressSanitizer (make debug) has signal handlers and a signal stack of its own after an exec.
    ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_segv=0:handle_sigbus=0:handle_sigfpe=0
    export ASAN_OPTIONS=$ASAN_OPTIONS:use_sigaltstack=0
}

teardown() {
    rm -rf "$dir"
}

# same OPTION...: the facts after `change OPTION...` are the same in the process itself as in one that
# was executed. They are left in $facts. $as: prefix of both.
same() {
    local executed
    shopt -s extglob
    facts=$("${as[@]}" "$box" change "$@" -- facts -- true 2>"$dir/err") || {
        cat "$dir/err"
        return 1
    }
    executed=$("${as[@]}" "$box" change "$@" -- "$box" facts -- true 2>"$dir/err") || {
        cat "$dir/err"
        return 1
    }
    # Only the pipe of the output has another number.
    facts=${facts//pipe:\[*([0-9])\]/pipe}
    executed=${executed//pipe:\[*([0-9])\]/pipe}
    diff <(echo "$facts") <(echo "$executed")
}

fact() {
    sed -n "s/^$1[: 	]*//p" <<<"$facts"
}

need_root() {
    [ "$(id -u)" = 0 ] || skip "id -u says $(id -u): needs root"
}

need_static() {
    ! readelf -lW "$box" | grep -q INTERP || skip "readelf -l shows an INTERP: needs the static build"
}

unprivileged() {
    need_root
    as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
}

@test "nothing changed" {
    same
}

@test "signals: caught ones get their default, ignored ones stay ignored" {
    same --ignore 10 --catch 12 --catch 17 --ignore 2 --stack
    [ "$(fact SigIgn)" = 0000000000000202 ]
    [ "$(fact SigCgt)" = 0000000000000000 ]
    [ "$(fact stack)" = none ]
}

@test "descriptors: close-on-exec ones are closed, others stay" {
    same --open --kept
    [[ $facts == *"fd 20:"* ]]
    [[ $facts != *"fd 36:"* ]]
}

@test "memory is no longer locked" {
    same --lock
    [[ $(fact VmLck) == 0* ]]
}

@test "dumpable again" {
    same --hidden
    [[ $(fact dumpable) == "1 owner "* ]]
}

@test "dumpable again for an unprivileged user, and /proc/self is its own" {
    unprivileged
    same --hidden
    [ "$(fact dumpable)" = "1 owner 65534" ]
}

@test "the parent-death signal stays" {
    same --death 15
    [ "$(fact death)" = 15 ]
}

@test "no_new_privs stays" {
    same --no-new-privs
    [ "$(fact NoNewPrivs)" = 1 ]
}

@test "root: what left the bounding set is no longer permitted" {
    need_root
    same --drop 21 --drop 5
    perm=$((16#$(fact CapPrm)))
    ((!(perm & (1 << 21)) && !(perm & (1 << 5)) && (perm & 1)))
    [ "$(fact CapPrm)" = "$(fact CapEff)" ]
}

@test "root: what left the bounding set but is inheritable stays permitted" {
    need_root
    same --ambient 21 --drop 21
    (($((16#$(fact CapPrm))) & (1 << 21)))
}

@test "root with SECBIT_NOROOT keeps only ambient capabilities" {
    need_root
    same --securebits 1
    [ "$(fact CapPrm)" = 0000000000000000 ]
    same --securebits 1 --ambient 10
    [ "$(fact CapPrm)" = 0000000000000400 ]
    [ "$(fact CapEff)" = 0000000000000400 ]
}

@test "another user loses what it kept, and SECBIT_KEEP_CAPS is cleared" {
    need_root
    same --keep-caps --uid 65534
    [ "$(fact CapPrm)" = 0000000000000000 ]
    [ "$(fact CapEff)" = 0000000000000000 ]
    [ "$(fact securebits)" = 0 ]
}

@test "another user keeps ambient capabilities" {
    need_root
    same --keep-caps --uid 65534 --ambient 10 --ambient 0
    [ "$(fact CapPrm)" = 0000000000000401 ]
    [ "$(fact CapEff)" = 0000000000000401 ]
    [ "$(fact CapAmb)" = 0000000000000401 ]
}

@test "no_new_privs and a change of user" {
    need_root
    same --no-new-privs --keep-caps --uid 65534 --ambient 10
    [ "$(fact CapPrm)" = 0000000000000400 ]
}

@test "root with no_new_privs does not get back what it gave up" {
    need_root
    same --no-new-privs --give-up 21
    ((!($((16#$(fact CapPrm))) & (1 << 21))))
}

@test "root in the same process does not get back what it gave up" {
    need_root
    facts=$("$box" change --give-up 21 -- facts -- true 2>/dev/null)
    ((!($((16#$(fact CapPrm))) & (1 << 21))))
    ((!($((16#$(fact CapEff))) & (1 << 21))))
}

@test "root of a new user namespace stays its root" {
    unprivileged
    same --userns
    [[ $(fact Uid) == 0* ]]
    perm=$((16#$(fact CapPrm)))
    ((perm & (1 << 21)))
}

@test "an unprivileged user with everything at once" {
    unprivileged
    same --ignore 10 --catch 12 --stack --open --kept --lock --hidden --death 9 --no-new-privs
}

@test "root with everything at once" {
    need_root
    same --ignore 10 --catch 12 --stack --open --kept --lock --hidden --death 9 --no-new-privs \
        --drop 7 --drop 8 --securebits 4 --ambient 7
}

@test "real and effective user that differ are refused, in the process and executed" {
    need_root
    # The leak detector needs a process that can be traced.
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
    run --separate-stderr "$box" change --euid 65534 -- facts -- true
    [ "$status" -eq 125 ]
    [ -z "$output" ]
    [[ $stderr == *"shimbox change: cannot go on with real and effective ids that differ"* ]]
    run --separate-stderr "$box" change --euid 65534 -- "$box" facts -- true
    [ "$status" -ne 0 ]
    [ -z "$output" ]
    [[ $stderr == *"cannot run set-user-ID"* ]]
}

@test "all links are checked before the first is applied" {
    run --separate-stderr "$box" change -- change --refuse check -- true
    [ "$status" -eq 125 ]
    [ "$stderr" = "shimbox change: told to refuse (see 'shimbox change --help')" ]
    run --separate-stderr "$box" change -- facts --bogus -- true
    [ "$status" -eq 125 ]
    [ "$stderr" = "shimbox facts: unknown option --bogus (see 'shimbox facts --help')" ]
    run --separate-stderr "$box" change -- facts --
    [ "$status" -eq 125 ]
    [ "$stderr" = "shimbox facts: no command to go on with (see 'shimbox facts --help')" ]
}

@test "a link that fails ends the chain" {
    run --separate-stderr "$box" change -- change --refuse apply -- facts -- true
    [ "$status" -eq 125 ]
    [ -z "$output" ]
    [[ $stderr == *"shimbox change: cannot do what it was told: Operation not permitted" ]]
}

@test "a link may end the chain with a code" {
    run --separate-stderr "$box" facts --end 7 -- false
    [ "$status" -eq 7 ]
}

@test "--help of a later link applies nothing" {
    run --separate-stderr "$box" change -- facts --help
    [ "$status" -eq 0 ]
    [[ $output == "Usage: shimbox facts "* ]]
    [ -z "$stderr" ]
}

@test "what is no link is executed, an applet's name included" {
    run -127 --separate-stderr env PATH="$dir" "$box" change -- answer
    [ "$status" -eq 127 ]
    [[ $stderr == *"shimbox change: cannot execute answer: No such file or directory" ]]
    run -127 --separate-stderr env PATH="$dir" "$box" change -- ./facts
    [ "$status" -eq 127 ]
}

@test "126 and 127" {
    printf 'x' >"$dir/plain"
    run --separate-stderr "$box" change -- "$dir/plain"
    [ "$status" -eq 126 ]
    [[ $stderr == *"cannot execute $dir/plain: Permission denied" ]]
    printf '#!/nonexistent\n' >"$dir/script"
    chmod 755 "$dir/script"
    run -127 --separate-stderr "$box" change -- "$dir/script"
    [ "$status" -eq 127 ]
    [[ $stderr == *"(the file is there, but not the interpreter or loader that it names)" ]]
    # A directory of PATH that may not be searched would make it 126.
    run -127 --separate-stderr env PATH=/usr/bin:/bin "$box" change -- no-such-program-anywhere
    [ "$status" -eq 127 ]
}

@test "a chain needs no PATH and no /proc" {
    need_root
    need_static
    mkdir "$dir/root"
    cp "$box" "$dir/root/box"
    # Without /proc the facts cannot be read: that link fails, having been reached.
    run --separate-stderr chroot "$dir/root" /box change -- change -- facts -- /box
    [ "$status" -eq 125 ]
    [[ $stderr == *"shimbox facts: cannot open /proc/self/status: No such file or directory" ]]
}

@test "a descriptor travels within the process, and is not seen outside" {
    run --separate-stderr "$box" change --put userns -- facts --take userns -- \
        sh -c 'env | grep SHIMBOX_FDS || echo none'
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "taken: userns" ]
    [[ $output == *$'\nSHIMBOX_FDS unset\n'* ]]
    [[ $output == *$'\nnone' ]]
    [[ $output != *"/dev/zero"* ]]
}

@test "a descriptor travels past another program, and is taken once" {
    run --separate-stderr "$box" change --put userns -- env "$box" facts --take userns -- \
        "$box" facts --take userns -- true
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "taken: userns" ]
    [[ $output == *"taken: none"* ]]
    [[ $output != *"/dev/zero"* ]]
}

@test "a later descriptor of the same name takes the place of the earlier one" {
    run --separate-stderr "$box" change --put a -- change --put a -- facts -- true
    [ "$status" -eq 0 ]
    [ "$(grep -c /dev/zero <<<"$output")" = 1 ]
}

@test "a malformed SHIMBOX_FDS is refused by name" {
    local value
    for value in "" x userns: userns:x :9 "userns:9," ",userns:9" userns:9x userns:-9 userns:2 \
        userns:77 "userns:9,userns:9" "userns:9,mount:9" UserNS:9 userns:4294967305 "user ns:9" \
        abcdefghijklmnop:9 userns:9:9 userns:+9 "userns: 9"; do
        status=0
        SHIMBOX_FDS=$value "$box" facts -- true 9</dev/null >"$dir/out" 2>"$dir/err" || status=$?
        echo "value '$value' status $status: $(cat "$dir/err")"
        [ "$status" -eq 125 ]
        [ ! -s "$dir/out" ]
        [ "$(wc -l <"$dir/err")" -eq 1 ]
        [[ $(cat "$dir/err") == "shimbox facts: SHIMBOX_FDS: "* ]]
    done
    SHIMBOX_FDS=userns:9 "$box" facts --take userns -- true 9</dev/null >"$dir/out"
    [ "$(head -1 "$dir/out")" = "taken: userns" ]
}

@test "what an applet that is no link was not asked to take is closed" {
    SHIMBOX_FDS=userns:77 run --separate-stderr "$box" answer
    [ "$status" -eq 2 ]
    [[ $stderr == "shimbox answer: SHIMBOX_FDS: descriptor 77 (userns) is not open"* ]]
}

@test "the trace names each link, and is complete before the program runs" {
    run --separate-stderr "$box" --trace="$dir/trace" change -- facts -- cat "$dir/trace"
    [ "$status" -eq 0 ]
    jq -e '[.[].name] == ["hand over to the next link", "execute cat",
        "process_name", "thread_name"]' "$dir/trace"
}
