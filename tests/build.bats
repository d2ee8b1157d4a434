#!/usr/bin/env bats
# What the build promises: the form of the binary, equal bytes, make's variables, nothing done twice.
# SPDX-License-Identifier: Apache-2.0

load lib/helpers

bats_require_minimum_version 1.5.0

setup() {
    cd "$project_root" || return 1
    unset MAKEFLAGS MAKELEVEL CC CFLAGS APPLETS V
    out=$BATS_TEST_TMPDIR/out
}

# copy_tree DIR: the sources, without build/ and version control.
copy_tree() {
    mkdir -p "$1"
    tar -c --exclude=./build --exclude=./.git . | tar -x -C "$1"
}

# write_compiler COMMAND: a compiler that has the objects of core/linux, core/oci and core/container from
# here, which take it most of a minute; all else is COMMAND's. In the full tier it compiles these too.
write_compiler() {
    cat <<END
#!/bin/sh
case "${TEST_FULL:-} \$* " in
" "*" -c core/linux/"* | " "*" -c core/oci/"* | " "*" -c core/container/"*)
    for object; do :; done
    exec cp "$project_root/build/obj/\${object#build/obj/}" "\$object" ;;
esac
exec $1 "\$@"
END
}

# record_calls NAME...: commands of these names only leave their name in $calls, and fail.
record_calls() {
    local name
    calls=$BATS_TEST_TMPDIR/calls shims=$BATS_TEST_TMPDIR/shims
    : >"$calls"
    mkdir -p "$shims"
    for name; do
        printf '#!/bin/sh\necho "%s $*" >>"%s"\nexit 99\n' "$name" "$calls" >"$shims/$name"
        chmod 755 "$shims/$name"
    done
}

# check_form FILE: one static, position independent, hardened, stripped ELF.
check_form() {
    local headers dynamic sections
    headers=$(readelf -hlW "$1") dynamic=$(readelf -dW "$1") sections=$(readelf -SW "$1")
    grep -q 'Type: *DYN' <<<"$headers"
    grep -qE 'GNU_STACK .* RW +0x' <<<"$headers"
    grep -q 'FLAGS_1.*NOW PIE' <<<"$dynamic"
    run -1 grep -E 'INTERP| RWE ' <<<"$headers"
    run -1 grep -E 'NEEDED|TEXTREL|RPATH|RUNPATH' <<<"$dynamic"
    run -1 grep -E ' \.(symtab|debug_[a-z]+|comment\.dwo)' <<<"$sections"
}

@test "the binary is a static PIE: no INTERP, no NEEDED, stripped" {
    check_form build/shimbox
    check_form build/aarch64/shimbox
    readelf -h build/aarch64/shimbox | grep -q AArch64
}

@test "constants are not executable" {
    # The segment with the code has nothing but code.
    run -0 bash -c 'readelf -lW build/shimbox | sed -n "/Section to Segment/,\$p" | grep "\.text"'
    run -1 grep -F .rodata <<<"$output"
}

@test "a start writes to two pages of it" {
    # Every pointer in a table is relocated at each start: see struct applet.
    # (Where pages are of 64 KiB, on aarch64, there is one in any case.)
    read -r address size <<<"$(readelf -lW build/shimbox | awk '$1 == "LOAD" && / RW / {print $3, $6}')"
    [ $((address % 4096 + size)) -le 8192 ] || { echo "$address $size"; false; }
}

@test "what starts need lies together: the names in layout.ld are those of the code" {
    names=$(sed -n 's/^ *\*\(.*\.o\)(\(\.text[^)]*\))$/\1 \2/p' layout.ld | grep -E '^(core|applets)/' | sort)
    there=$(cd build/obj && find core applets -name '*.o' -exec readelf -SW {} + |
        sed -nE '/^File: /{s///;h}; /^.* (\.text[^ ]*) .*/{s//\1/;G;s/(.*)\n(.*)/\2 \1/p}' | sort)
    [ "$(wc -l <<<"$names")" -gt 200 ]
    stale=$(comm -23 <(echo "$names") <(echo "$there"))
    # It is written anew by `make layout`, when many are.
    [ "$(wc -l <<<"$stale")" -le 40 ] || { echo "$stale"; false; }
    readelf -SW build/shimbox | grep -q ' \.text\.often '
}

@test "the stack protector is in it" {
    # A function reads the canary (%fs:40) before and after; a few dozen would be libc's alone.
    run -0 bash -c 'objdump -d --no-show-raw-insn build/shimbox | grep -c "%fs:0x28"'
    [ "$output" -gt 100 ]
}

@test "at most 672 KiB" {
    size=$(stat -c %s build/shimbox)
    echo "$size bytes"
    [ "$size" -le $((672 * 1024)) ]
}

@test "no path of this tree is in it" {
    run -1 grep -aF "$project_root" build/shimbox
}

# what_apt_knows: files of apt and dpkg with their sizes and times.
what_apt_knows() {
    find /etc/apt /var/lib/apt /var/lib/dpkg/arch /var/lib/dpkg/status -printf '%p %s %T@\n' \
        2>/dev/null | sort
}

@test "another directory, umask, locale and time zone give the same bytes, without touching the user's apt" {
    other="$BATS_TEST_TMPDIR/quite another/directory"
    other=${other// /-}
    copy_tree "$other"
    mkdir "$BATS_TEST_TMPDIR/bin"
    write_compiler "$(command -v gcc)" >"$BATS_TEST_TMPDIR/bin/gcc"
    chmod 755 "$BATS_TEST_TMPDIR/bin/gcc"
    # So that what is compiled there tells of what is not: no object holds where or when it was made.
    run -1 grep -rnE '__(BASE_)?FILE__|__DATE__|__TIME(STAMP)?__|__builtin_(FILE|LINE)|<assert.h>' core applets
    before=$(what_apt_knows)
    cd "$other"
    umask 077
    run_split env PATH="$BATS_TEST_TMPDIR/bin:$PATH" LC_ALL=C.UTF-8 TZ=Asia/Tokyo JOBS=1 ./build.sh
    assert_status 0
    assert_stderr_has "source packages of json-c"
    [ -e build/deps/sources/json-c/json_tokener.h ]
    [ -e build/deps/sources/libcap-ng/src/cap-ng.h ]
    [ -e build/deps/sources/libseccomp/src/syscalls.csv ]
    diff <(echo "$before") <(what_apt_knows)
    cmp build/shimbox "$project_root/build/shimbox"
}

@test "a second run calls neither apt nor a compiler" {
    record_calls apt-get apt-cache apt dpkg-source sudo cmake gcc cc ld aarch64-linux-gnu-gcc
    run_split env PATH="$shims:$PATH" ./build.sh
    assert_status 0
    assert_stdout "build/shimbox is up to date"
    assert_stderr ""
    [ ! -s "$calls" ]
    run_split env PATH="$shims:$PATH" ./build.sh --arch aarch64
    assert_stdout "build/aarch64/shimbox is up to date"
    [ ! -s "$calls" ]
}

@test "make after build.sh has nothing to do" {
    run -0 make -q
    run -0 make -q ARCH=aarch64
}

# link_tools NAME...: what is found under $shims besides the recorded commands.
link_tools() {
    local name
    for name in bash sh dirname uname sed cat mkdir sha256sum make stat "$@"; do
        ln -s "$(command -v "$name")" "$shims/$name"
    done
}

# ordinary_user_without_packages: build.sh with PATH="$shims" believes so.
ordinary_user_without_packages() {
    record_calls apt-get dpkg-query id "$@"
    printf '#!/bin/sh\necho 1000\n' >"$shims/id"
    link_tools head tail
    copy_tree "$out"
    cd "$out" || return 1
}

@test "without root and sudo it says what to run, and stops" {
    ordinary_user_without_packages
    run_split env PATH="$shims" ./build.sh
    assert_status 1
    assert_stdout ""
    assert_stderr_has "apt-get install --no-install-recommends gcc make musl-dev"
    run -1 grep apt-get "$calls"
}

@test "with sudo packages are installed through it; a failure shows the log's end" {
    ordinary_user_without_packages sudo
    run_split env PATH="$shims" ./build.sh
    assert_status 1
    assert_stdout ""
    assert_stderr_has "] install "
    assert_stderr_has "packages ... failed"
    assert_stderr_has build/build.log
    grep -q '^sudo DEBIAN_FRONTEND=noninteractive apt-get ' "$calls"
}

# system_of_musl COMMAND: a system without apt whose compiler's libc is musl (the wrapper of build/deps).
system_of_musl() {
    record_calls cmake
    link_tools ar as chmod cp env find gcc grep id ld ln rm sort tail tar tr
    copy_tree "$out"
    {
        echo '#!/bin/sh'
        echo '[ "$1" != -dumpmachine ] || { echo x86_64-alpine-linux-musl; exit; }'
        write_compiler "$1"
    } >"$shims/cc"
    chmod 755 "$shims/cc"
    cd "$out" || return 1
}

@test "without apt a musl system's own compiler and libraries are used" {
    system_of_musl "$project_root/build/deps/$(uname -m)/cc"
    # The compiler's work is not what this is about.
    run_split env PATH="$shims" CFLAGS=-O0 APPLETS=spec ./build.sh
    assert_status 0
    check_form build/shimbox
    [ ! -s "$calls" ]
    run_split env PATH="$shims" CFLAGS=-O0 APPLETS=spec ./build.sh
    assert_stdout "build/shimbox is up to date"
}

@test "without apt, what is missing is named" {
    system_of_musl "gcc -nostdinc" # finds no header
    run_split env PATH="$shims" ./build.sh
    assert_status 1
    assert_stderr_has "libjson-c.a, libcap-ng.a and libseccomp.a"
    rm "$shims/cc"
    run_split env PATH="$shims" ./build.sh
    assert_status 1
    assert_stderr_has "no apt-get, and no compiler for musl"
}

@test "make without the libraries says: run ./build.sh" {
    copy_tree "$out"
    run_split make -C "$out"
    assert_status 2
    assert_stderr_has "run ./build.sh"
    run_split make -C "$out" ARCH=aarch64
    assert_status 2
    assert_stderr_has "run ./build.sh --arch aarch64"
}

@test "unknown arguments and architectures are refused" {
    for arguments in --nonsense nonsense "--arch mips" --arch=mips --arch; do
        # shellcheck disable=SC2086 # words
        run_split ./build.sh $arguments
        assert_status 2
        assert_stdout ""
        assert_stderr_has "see ./build.sh --help"
    done
    run_split ./build.sh test no-such-test
    assert_status 2
    assert_stderr_has "no test file 'no-such-test'"
}

@test "--help tells the commands" {
    run_split ./build.sh --help
    assert_status 0
    assert_stderr ""
    for word in demo test clean --arch APPLETS CC V=1; do
        [[ $stdout == *"$word"* ]]
    done
}

@test "APPLETS: just those, the rest is dropped" {
    mkdir "$out"
    cp -a build/obj "$out/" # they are the same
    run -0 make -j2 OUT="$out" APPLETS=spec
    run_split "$out/shimbox" --list
    assert_stdout spec
    [ "$(stat -c %s "$out/shimbox")" -lt "$(stat -c %s build/shimbox)" ]
    # Unchanged, there is nothing to do; changed, it links again.
    run -0 make -q OUT="$out" APPLETS=spec
    run -1 make -q OUT="$out"
}

@test "APPLETS=init: at most 48 KiB, the bytes of make small, works as process 1, is installed" {
    mkdir "$out"
    cp -a build/small/obj "$out/" # they are the same
    run -0 make -j2 OUT="$out" APPLETS=init
    cmp "$out/shimbox" build/small/shimbox
    size=$(stat -c %s "$out/shimbox")
    echo "$size bytes"
    [ "$size" -le $((48 * 1024)) ]
    run_split unshare --pid --fork --kill-child "$out/shimbox" sh -c 'echo $PPID; exit 7'
    assert_status 7
    assert_stdout 1
    assert_stderr ""
    run -0 make install OUT="$out" APPLETS=init DESTDIR="$out/root"
    [ "$(cd "$out/root" && find . -type f)" = ./usr/local/bin/shimbox ]
}

@test "APPLETS: an unknown name is an error" {
    run_split make OUT="$out" APPLETS="spec nonsense"
    assert_status 2
    assert_stderr_has "no such applet: nonsense"
}

@test "V=1 shows the commands, otherwise make is quiet" {
    run_split make OUT="$out" "$out/obj/core/base/error.o"
    assert_status 0
    assert_stdout ""
    run_split make OUT="$out" V=1 CFLAGS=-O1 "$out/obj/core/base/error.o"
    assert_status 0
    [[ $stdout == *" -O1 "*core/base/error.c* ]]
}

@test "CC: another compiler is used, and what it had not compiled is compiled again" {
    run -0 make OUT="$out" "$out/obj/core/base/error.o"
    printf '#!/bin/sh\necho "another $*"\nexec gcc "$@"\n' >"$BATS_TEST_TMPDIR/another"
    chmod 755 "$BATS_TEST_TMPDIR/another"
    run_split make OUT="$out" CC="$BATS_TEST_TMPDIR/another" "$out/obj/core/base/error.o"
    assert_status 0
    [[ $stdout == "another "*core/base/error.c* ]]
}

@test "a changed header compiles again what includes it" {
    copy_tree "$out"
    mkdir "$out/build"
    cp -r build/deps "$out/build/"
    run -0 make -C "$out" build/obj/core/base/error.o
    touch -d '1 hour' "$out/core/base/error.h"
    run -1 make -C "$out" -q build/obj/core/base/error.o
}

@test "make install puts everything below DESTDIR and PREFIX, uninstall removes it" {
    run_split make install DESTDIR="$out" PREFIX=/opt/box
    assert_status 0
    cmp "$out/opt/box/bin/shimbox" build/shimbox
    [ "$(stat -c %a "$out/opt/box/bin/shimbox")" = 755 ]
    expected=$(
        cd "$out/opt/box/share"
        printf '%s\n' bash-completion/completions/shimbox zsh/site-functions/_shimbox \
            fish/vendor_completions.d/shimbox.fish man/man1/shimbox.1
        "$SHIMBOX" --list | sed 's,.*,man/man1/shimbox-&.1,'
    )
    diff <(sort <<<"$expected") <(cd "$out/opt/box/share" && find . -type f -size +0 | cut -c3- | sort)
    [ -z "$(find "$out" -type f -not -path "$out/opt/box/*")" ]
    run_split make uninstall DESTDIR="$out" PREFIX=/opt/box
    assert_status 0
    [ -z "$(find "$out" -not -type d)" ]
}

@test "make dist: all that is under version control, the same bytes twice" {
    version=$("$SHIMBOX" --version | sed -n '1s/shimbox //p')
    archive=$project_root/build/shimbox-$version.tar.gz
    run -0 make dist
    cp "$archive" "$BATS_TEST_TMPDIR/first.tar.gz"
    sleep 1
    run -0 make dist
    cmp "$archive" "$BATS_TEST_TMPDIR/first.tar.gz"
    tar -xf "$archive" -C "$BATS_TEST_TMPDIR"
    tree=$BATS_TEST_TMPDIR/shimbox-$version
    [ -x "$tree/build.sh" ]
    if [ -e .git ]; then
        diff <(git ls-tree -r --name-only HEAD | sort) <(cd "$tree" && find . -type f | cut -c3- | sort)
    fi
    # Outside version control, the files as they are; when they were written does not matter.
    run -0 make -C "$tree" dist
    cp "$tree/build/shimbox-$version.tar.gz" "$BATS_TEST_TMPDIR/first.tar.gz"
    touch "$tree/Makefile"
    run -0 make -C "$tree" dist
    cmp "$tree/build/shimbox-$version.tar.gz" "$BATS_TEST_TMPDIR/first.tar.gz"
    diff <(tar -tf "$archive" | grep -v '/$' | sort) \
        <(tar -tf "$BATS_TEST_TMPDIR/first.tar.gz" | grep -v '/$' | sort)
}

@test "the private apt set-up keeps Signed-By and options, drops architectures" {
    copy_tree "$out"
    cd "$out"
    mkdir -p etc/parts lists
    printf '%s\n' '# deb http://none.invalid old main' \
        'deb [arch=amd64 signed-by=/k.gpg] http://none.invalid/debian stable main' \
        'deb-src http://none.invalid/debian stable contrib' >etc/parts/one.list
    printf '%s\n' 'Types: deb' 'URIs: http://none.invalid/debian' 'Suites: stable' \
        'Components: main' 'Architectures: amd64 i386' 'Signed-By: /k.gpg' >etc/parts/two.sources
    printf '%s\n' "Dir::Etc::sourcelist \"/dev/null\";" "Dir::Etc::sourceparts \"$out/etc/parts\";" \
        "Dir::State::lists \"$out/lists\";" "Acquire::http::Proxy \"http://proxy.invalid:1\";" >etc/apt.conf
    export APT_CONFIG=$out/etc/apt.conf
    run_split bash -c '. ./build.sh; private_apt deb-src "" private && apt-config "${apt[@]:1}" dump'
    assert_status 0
    diff private/sources/one.list - <<'END'
deb-src [ signed-by=/k.gpg] http://none.invalid/debian stable main
deb-src http://none.invalid/debian stable contrib
END
    diff private/sources/two.sources - <<'END'
Types: deb-src
URIs: http://none.invalid/debian
Suites: stable
Components: main
Signed-By: /k.gpg
END
    # The proxy is the user's.
    [[ $stdout == *'Acquire::http::Proxy "http://proxy.invalid:1"'* ]]
}
