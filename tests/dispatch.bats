#!/usr/bin/env bats
# The command line: global options, names, help, manual pages, completions, links, log and trace.
# SPDX-License-Identifier: Apache-2.0
#
# TEST_SHIMBOX is core linked with the test applets of tests/chain; by default beside $SHIMBOX.

# The scripts in single quotes get their values as arguments.
# Variables are meant for one test (a subshell) only.
# shellcheck disable=SC2016,SC2030,SC2031

bats_require_minimum_version 1.5.0

setup() {
    dir=$(mktemp -d)
    chmod 755 "$dir"
    cp "${TEST_SHIMBOX:-$(dirname "$SHIMBOX")/test-shimbox}" "$dir/shimbox-1.2"
    chmod 755 "$dir/shimbox-1.2"
    box=$dir/shimbox-1.2
    ln -s shimbox-1.2 "$dir/answer"
}

teardown() {
    rm -rf "$dir"
}

need_root() {
    [ "$(id -u)" = 0 ] || skip "id -u says $(id -u): needs root"
}

need_static() {
    ! readelf -lW "$box" | grep -q INTERP || skip "readelf -l shows an INTERP: needs the static build"
}

# One line on standard error, nothing on standard output.
refused() {
    local want=$1
    shift
    run --separate-stderr "$@"
    echo "status $status: $stderr"
    [ "$status" -eq 2 ]
    [ -z "$output" ]
    [ "$stderr" = "$want" ]
}

@test "an applet by the first argument, under a name with a version" {
    run --separate-stderr "$box" answer -- a -b
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [ "$output" = "root - rootless auto debug 0 separated 1
operand a
operand -b" ]
}

@test "an applet by argv[0], also without a directory and with any" {
    run --separate-stderr "$dir/answer" x
    [ "$status" -eq 0 ]
    [ "${lines[1]}" = "operand x" ]
    run --separate-stderr bash -c 'exec -a answer "$0" x' "$box"
    [ "${lines[1]}" = "operand x" ]
    run --separate-stderr bash -c 'exec -a -odd- "$0" answer x' "$box"
    [ "${lines[1]}" = "operand x" ]
}

@test "an empty argv is no crash" {
    run --separate-stderr python3 -c '
import ctypes, sys
libc = ctypes.CDLL(None)
argv = (ctypes.c_char_p * 1)(None)
libc.execve(sys.argv[1].encode(), argv, argv)' "$box"
    [ "$status" -eq 2 ]
    [[ $stderr == "shimbox: "* ]]
}

@test "global options come before the applet, in any form" {
    run --separate-stderr "$box" --root /r --rootless=true --debug answer
    [ "$status" -eq 0 ]
    [ "$output" = "root /r rootless true debug 1 separated 0" ]
    run --separate-stderr "$box" answer --root /r
    [ "$status" -eq 2 ]
}

@test "no applet, unknown applet, unknown option, bad words" {
    refused "shimbox: no applet named (see 'shimbox --help' and 'shimbox --list')" "$box"
    refused "shimbox: unknown applet 'anwser' (did you mean 'answer'?)" "$box" anwser
    refused "shimbox: unknown applet 'zzz' (see 'shimbox --list')" "$box" zzz
    refused "shimbox: unknown applet '\x0a\x1b[31m' (see 'shimbox --list')" "$box" $'\n\e[31m'
    refused "shimbox: unknown option --rooot (did you mean --root?)" "$box" --rooot /x
    refused "shimbox: unknown option --ro (see 'shimbox --help')" "$box" --ro /x answer
    refused "shimbox: option --root needs an argument: DIR (see 'shimbox --help')" "$box" --root
    refused "shimbox: option --debug takes no argument (see 'shimbox --help')" "$box" --debug=1
    refused "shimbox: option --rootless: unknown word 'x': true, false or auto (see 'shimbox --help')" \
        "$box" --rootless x answer
    refused "shimbox: unknown log format 'xml': text or json (see 'shimbox --help')" \
        "$box" --log-format xml answer
}

@test "--systemd-cgroup is refused by name" {
    refused "shimbox: option --systemd-cgroup is not supported: shimbox manages cgroups without \
systemd (see 'shimbox --help')" "$box" --systemd-cgroup answer
}

@test "--version has runc's two lines" {
    run --separate-stderr "$box" --version
    [ "$status" -eq 0 ]
    [[ ${lines[0]} =~ ^shimbox\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
    [ "${lines[1]}" = "spec: 1.1.0" ]
    [ "${#lines[@]}" -eq 2 ]
    [ "$("$box" -v)" = "$output" ]
}

@test "--list has one name a line, and summaries on a terminal" {
    run --separate-stderr "$box" --list
    [ "$status" -eq 0 ]
    [ "$output" = $'answer\nchange\nfacts\ninner' ]
    run script -qec "$box --list" /dev/null
    [[ ${lines[0]} == "  answer  Answer a question"* ]]
    [[ ${lines[3]} == "  inner   Be a sub-command"* ]]
}

@test "the product lists its own applets, and each has help and a page" {
    run --separate-stderr "$SHIMBOX" --list
    [ "$status" -eq 0 ]
    [ -n "$output" ]
    local name
    for name in $output; do
        "$SHIMBOX" "$name" --help >"$dir/help"
        grep -q "^Usage: shimbox $name" "$dir/help"
        awk 'length > 100 { exit 1 }' "$dir/help"
        "$SHIMBOX" --man "$name" >"$dir/page"
        grep -q '^\.SH EXIT STATUS' "$dir/page"
    done
}

@test "help: by option, by word, of an applet" {
    run --separate-stderr "$box" --help
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [[ $output == "Usage: shimbox [global options] APPLET"* ]]
    [[ $output == *"--log-format text|json"* ]]
    [[ $output == *"  answer  Answer a question"* ]]
    [ "$("$box" -h)" = "$output" ]
    [ "$("$box" help)" = "$output" ]

    run --separate-stderr "$box" answer --help
    [ "$status" -eq 0 ]
    [[ $output == *"  -f, --fail                Fail with an awkward message"* ]]
    [[ $output == *"  -h, --help                Show this help"* ]]
    [[ $output == *$'Examples:\n  # Ask\n  shimbox answer' ]]
    [ "$("$box" answer -fh)" = "$output" ]
    [ "$("$box" help answer)" = "$output" ]
    [ "$("$box" --help answer)" = "$output" ]
    [ "$("$dir/answer" --help)" = "$output" ]
    refused "shimbox: unknown applet 'nothing' (see 'shimbox --list')" "$box" help nothing
}

@test "every option of the help is understood" {
    local option
    while read -r option; do
        case $option in
        *=*) set -- "${option%%[*}" ;;
        --rootless*) set -- --rootless auto ;;
        --log-format*) set -- --log-format text ;;
        --completions*) set -- --completions bash ;;
        --systemd-cgroup) continue ;;
        *' '*) set -- "${option%% *}" "$dir/x" ;;
        *) set -- "$option" ;;
        esac
        run --separate-stderr "$box" "$@" --version
        echo "$*: $stderr"
        [ "$status" -eq 0 ]
    done < <("$box" --help | sed -n '/^Options:/,/^$/p' | grep -o -- '--[a-z][a-z-]*\(\[=FILE\]\| [A-Z][A-Z]*\| [a-z|]*|[a-z|]*\)\?' | sort -u)
}

@test "standard output that cannot be written is an error" {
    run --separate-stderr bash -c '"$0" --list >/dev/full' "$box"
    [ "$status" -eq 2 ]
    [ "$stderr" = "shimbox: cannot write standard output: No space left on device" ]
}

@test "manual pages are clean roff" {
    for page in "" answer change; do
        # shellcheck disable=SC2086
        "$box" --man $page >"$dir/page.1"
        head -1 "$dir/page.1" | grep -q '^\.TH SHIMBOX'
        if command -v groff >/dev/null; then
            groff -man -ww -Tascii "$dir/page.1" >/dev/null 2>"$dir/warnings"
            [ ! -s "$dir/warnings" ]
        else
            echo "# command -v groff finds nothing: page not formatted" >&3
        fi
    done
    "$box" --man >"$dir/page.1"
    for code in 0 1 2 123 124 125 126 127 128; do
        grep -qx "$code" "$dir/page.1"
    done
    refused "shimbox: unknown applet 'nothing' (see 'shimbox --list')" "$box" --man nothing
}

@test "completions: bash completes applets, options and choices" {
    "$box" --completions bash >"$dir/completion"
    cat >"$dir/try" <<'END'
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_shimbox
echo "${COMPREPLY[*]}"
END
    try() { bash -eu "$dir/try" "$dir/completion" "$@"; }
    [ "$(try shimbox an)" = answer ]
    [ "$(try shimbox --root /x fa)" = facts ]
    [ "$(try shimbox --log-f)" = --log-format ]
    [ "$(try shimbox --log-format '')" = "text json" ]
    [ "$(try shimbox answer --f)" = --fail ]
    [ "$(try shimbox answer -)" = "-f --fail -w --warn -h --help" ]
    [ "$(try shimbox answer '')" = "" ]
}

@test "completions: other shells accept theirs, an unknown shell is refused" {
    for shell in zsh fish; do
        "$box" --completions $shell >"$dir/completion"
        grep -q 'Answer a question' "$dir/completion"
        if command -v $shell >/dev/null; then
            $shell -n "$dir/completion"
        else
            echo "# command -v $shell finds nothing: syntax not checked" >&3
        fi
    done
    refused "shimbox: no completions for 'tcsh': bash, zsh or fish" "$box" --completions tcsh
}

@test "--install links what is no sub-command, and replaces nothing" {
    mkdir "$dir/bin"
    echo mine >"$dir/bin/change"
    run --separate-stderr "$box" --install "$dir/bin"
    [ "$status" -eq 2 ]
    [ -z "$output" ]
    [ "$stderr" = "shimbox: cannot create $dir/bin/change: File exists" ]
    [ "$(cat "$dir/bin/change")" = mine ]
    [ "$(readlink "$dir/bin/answer")" = "$box" ]
    [ "$(readlink "$dir/bin/facts")" = "$box" ]
    [ ! -e "$dir/bin/inner" ]
    [ "$("$dir/bin/answer" | cut -c1-6)" = "root -" ]

    # Links that are right already are no failure.
    rm "$dir/bin/change"
    run --separate-stderr "$box" --install "$dir/bin"
    [ "$status" -eq 0 ]
    [ "$(find "$dir/bin" -type l | wc -l)" -eq 3 ]
}

@test "--install beside the binary makes relative links" {
    mkdir "$dir/bin"
    cp "$box" "$dir/bin/shimbox"
    "$dir/bin/shimbox" --install "$dir/bin"
    [ "$(readlink "$dir/bin/facts")" = shimbox ]
}

@test "--install into what is no directory creates nothing" {
    refused "shimbox: cannot install into $dir/none: No such file or directory" \
        "$box" --install "$dir/none"
    [ ! -e "$dir/none" ]
    refused "shimbox: cannot install into $box: Not a directory" "$box" --install "$box"
}

@test "the error line: field, object, errno, hint; control characters escaped" {
    run --separate-stderr "$box" answer --fail
    [ "$status" -eq 2 ]
    [ "$stderr" = "shimbox answer: /mounts/0: cannot attach /mnt\x0a\x1b[31m: Operation not \
permitted (needs CAP_SYS_ADMIN)" ]
    run --separate-stderr "$box" --debug answer --fail
    [[ $stderr == *$'\n'"shimbox answer: debug: failed in step 'mount rootfs'" ]]
}

@test "--log in JSON: one object a line, appended, mode 0600" {
    umask 000
    run --separate-stderr "$box" --log "$dir/log" --log-format json answer --warn --fail
    # The error is for people, too; where an engine calls, standard error is the container's.
    [[ $stderr == "shimbox answer: /mounts/0: cannot attach"* && $stderr != *warning* ]]
    "$box" --log "$dir/log" --log-format json --debug answer --warn 2>/dev/null
    [ "$(stat -c %a "$dir/log")" = 600 ]
    [ "$(jq -r .level "$dir/log" | xargs)" = "warning error warning debug" ]
    jq -se '.[1].msg == "/mounts/0: cannot attach /mnt\\x0a\\x1b[31m: Operation not permitted (needs CAP_SYS_ADMIN)"' "$dir/log"
    jq -se '.[1].step == "mount rootfs"' "$dir/log"
    jq -se 'all(.time | fromdateiso8601 > 1600000000)' "$dir/log"
}

@test "--log in text, as runc's; usage errors of global options are in it, too" {
    "$box" --log "$dir/log" --systemd-cgroup answer 2>/dev/null || true
    grep -qE '^time="20[0-9-]+T[0-9:]+Z" level=error msg="option --systemd-cgroup is not' "$dir/log"
    "$box" --log "$dir/log" answer --fail 2>/dev/null || true
    [ "$(wc -l <"$dir/log")" -eq 2 ]
    grep -qE 'level=error msg=".*" (errno=[0-9]+ )?(field="[^"]*" )?step="mount rootfs"$' "$dir/log"
}

@test "--log that cannot be opened is an error" {
    refused "shimbox: cannot open the log $dir/none/log: No such file or directory" \
        "$box" --log "$dir/none/log" answer
}

@test "--trace on standard error, --trace=FILE and SHIMBOX_TRACE as JSON" {
    run --separate-stderr "$box" --trace answer
    [ "$status" -eq 0 ]
    [[ $stderr =~ ^\ *[0-9]+\ us\ \ shimbox:\ answer\ the\ question$ ]]
    "$box" --trace="$dir/a.json" answer
    SHIMBOX_TRACE=$dir/b.json "$dir/answer"
    for file in a b; do
        jq -e 'length == 3 and .[0].name == "answer the question" and .[0].ph == "X"
            and .[0].tid == 1 and (.[0].dur | type) == "number"
            and .[1].name == "process_name" and .[2].name == "thread_name"
            and all(.[1:][]; .args.name == "shimbox")' "$dir/$file.json"
    done
    SHIMBOX_TRACE=- run --separate-stderr "$dir/answer"
    [[ $stderr == *"answer the question" ]]
    refused "shimbox answer: cannot open the trace $dir/none/t: No such file or directory" \
        "$box" --trace="$dir/none/t" answer
}

@test "closed standard descriptors are not taken by files" {
    "$box" --log "$dir/log" --trace="$dir/trace" facts -- true <&- 2>&- >"$dir/out"
    grep -qx 'fd 0: /dev/null' "$dir/out"
    grep -qx 'fd 2: /dev/null' "$dir/out"
}

@test "closed standard descriptors without /dev" {
    need_root
    need_static
    mkdir "$dir/root"
    cp "$box" "$dir/root/box"
    run --separate-stderr bash -c 'chroot "$0" /box --log /log answer --fail 0<&- 2>&-' "$dir/root"
    [ "$status" -eq 2 ]
    [[ $output == "root -"* ]]
    # The error is in the log, and nothing else.
    [ "$(wc -l <"$dir/root/log")" -eq 1 ]
}

@test "set-user-ID and set-group-ID are refused" {
    need_root
    # The leak detector of make debug cannot work, nor be switched off, in a set-user-ID program.
    need_static
    # An independent probe: does the file system honour the bit here?
    cp /usr/bin/id "$dir/id"
    chown 65534:65534 "$dir/id"
    chmod 6755 "$dir/id"
    [[ $("$dir/id") == *euid=65534* ]] || skip "a set-user-ID copy of id runs without it: nosuid"
    chown 65534:65534 "$box"
    chmod 4755 "$box"
    refused "shimbox: cannot run set-user-ID: Operation not permitted (it would lend its privilege \
to every user; chmod ug-s and setcap -r its file)" "$box" --list
    chmod 2755 "$box"
    refused "shimbox: cannot run set-group-ID: Operation not permitted (it would lend its privilege \
to every user; chmod ug-s and setcap -r its file)" "$box" --list
    chmod 755 "$box"
    "$box" --list
}

@test "file capabilities are refused" {
    need_root
    # The leak detector of make debug needs a process that can be traced.
    export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
    cap='import os, struct, sys
os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))'
    cp /usr/bin/cat "$dir/cat"
    python3 -c "$cap" "$dir/cat" || skip "setxattr of security.capability is refused here"
    setpriv --reuid 65534 --clear-groups "$dir/cat" /proc/self/status >"$dir/status"
    grep -q '^CapPrm:.*2000$' "$dir/status" || skip "a copy of cat runs without its capability: nosuid"
    python3 -c "$cap" "$box"
    refused "shimbox: cannot run with file capabilities: Operation not permitted (it would lend its \
privilege to every user; chmod ug-s and setcap -r its file)" \
        setpriv --reuid 65534 --clear-groups "$box" --list
}

@test "at most five system calls of our own before the applet runs" {
    need_static
    command -v strace >/dev/null || skip "command -v strace finds nothing"
    strace -o "$dir/calls" "$box" answer >/dev/null
    # The C library's own start ends with the last mprotect (RELRO).
    sed -n '/^execve/,/write(1/p' "$dir/calls" | grep -vE '^(execve|arch_prctl|set_tid|brk|mmap|mprotect|write)' \
        >"$dir/own" || true
    cat "$dir/own"
    [ "$(wc -l <"$dir/own")" -le 5 ]
}
