#!/usr/bin/env bash
# A fresh machine -> toolchain, static libraries, build/shimbox.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

usage() {
    cat <<'END'
usage: ./build.sh [--arch aarch64] [VARIABLE=VALUE...]   build build/shimbox
       ./build.sh demo                                   ... and show containers
       ./build.sh test [--full] [NAME...]                build everything and run the tests
       ./build.sh clean                                  remove build/

Installs what is missing through apt-get (as root or with sudo); without apt, a musl compiler and
static libraries that are there are used. A test NAME is a file of tests/, or its name without
folder and suffix; `vm` is what runs in the emulated machine (tests/vm), vm:NAME a file in there.
--full adds the second tier (soaks, long races, every engine).

VARIABLES, also taken from the environment: CC, CFLAGS, APPLETS="spec run" (just those), V=1 (show
commands). PREFIX and DESTDIR are for `make install`.
END
}

top=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cd "$top"
native=$(uname -m)
export DEBIAN_FRONTEND=noninteractive

build_packages=(gcc make musl-dev linux-libc-dev dpkg-dev)
cross_packages=(gcc-aarch64-linux-gnu linux-libc-dev-arm64-cross)
debug_packages=(libc6-dev libjson-c-dev libcap-ng-dev libseccomp-dev libcmocka-dev) # and the tests of core
test_packages=(
    hyperfine musl-tools bubblewrap                     # tests/bench
    bats python3 python3-jsonschema golang-github-opencontainers-specs-dev jq file binutils git
    e2fsprogs xfsprogs btrfs-progs dosfstools squashfs-tools erofs-utils genisoimage # superblocks
    tini dumb-init catatonit                            # peers of init
    procps iproute2 util-linux uidmap strace debootstrap busybox-static crun runc podman qemu-user-static
    buildah containerd                                  # tests/engines, beside podman
    qemu-system-x86 e2fsprogs mount passwd apparmor secilc # tests/vm
    shellcheck clang-format cppcheck                    # the cheap half of `make lint`
)
demo_packages=(busybox-static debootstrap)

# ---- steps: planned first, so that each is shown as [n/all] with its time ----

plan=() to_install=() install_beside=() failed=0

# later TITLE COMMAND...: TITLE may name a library's version as @NAME@; COMMAND is a line of shell.
later() {
    plan+=("$1" "$2")
}

# beside TITLE COMMAND: goes on while the steps after it run, and is told of at the end. For what
# waits for the network or uses one processor.
beside() {
    plan+=("&$1" "$2")
}

run_plan() {
    local i title count pids=()
    plan_packages
    count=$((${#plan[@]} / 2))
    for ((i = 0; i < count && !failed; i++)); do
        title=${plan[i * 2]}
        while [[ $title =~ @([a-z-]+)@ ]]; do
            title=${title/"${BASH_REMATCH[0]}"/"${BASH_REMATCH[1]} $(source_version "${BASH_REMATCH[1]}")"}
        done
        if [[ $title == "&"* ]]; then
            mkdir -p build
            (step "[$((i + 1))/$count] ${title:1}" "${plan[i * 2 + 1]}" "build/build.$i.log"
                exit "$failed") 2>"build/step.$i" &
            pids[i]=$!
        else
            step "[$((i + 1))/$count] $title" "${plan[i * 2 + 1]}"
        fi
    done
    # Also after a failure: an installation is not left half done.
    for i in "${!pids[@]}"; do
        wait "${pids[i]}" || failed=1
        cat "build/step.$i" >&2
        rm -f "build/step.$i"
    done
    [ "$failed" = 0 ] || exit 1
    plan=()
}

# step TITLE COMMAND [LOG]: the output goes to a log, whose end is shown if it fails; with V=1 it is shown.
# A failure is left in $failed.
step() {
    local start=${EPOCHREALTIME/[.,]/} log=${3:-build/build.log} code tenths
    printf '%s ...' "$1" >&2
    mkdir -p build
    set +e # bash ignores set -e in whatever stands before ||
    if [ "${V:-0}" = 1 ]; then
        echo >&2
        (set -ex; eval "$2") >&2
    else
        (set -e; eval "$2") >"$log" 2>&1 </dev/null
    fi
    code=$?
    set -e
    if [ "$code" != 0 ]; then
        printf ' failed\n' >&2
        [ "${V:-0}" = 1 ] || { tail -n 30 "$log" >&2; echo "(all of it: $log)" >&2; }
        failed=1
        return 0
    fi
    tenths=$(((${EPOCHREALTIME/[.,]/} - start) / 100000))
    printf ' %d.%d s\n' $((tenths / 10)) $((tenths % 10)) >&2
}

die() {
    printf 'build.sh: %s\n' "$@" >&2
    exit "${exit_code:-1}"
}

# refuse MESSAGE: a mistake on the command line.
refuse() {
    exit_code=2
    die "$1" "see ./build.sh --help"
}

# ---- packages ----

# What is installed of what we know of, name -> version; asked once, since asking is slow.
declare -A versions=()
know_packages() {
    local name version
    [ "${#versions[@]}" = 0 ] || return 0
    while read -r name version; do
        versions[$name]=$version
    done < <(
        dpkg-query -W -f '${db:Status-Abbrev}${Package} ${Version}\n' "${build_packages[@]}" \
            "${cross_packages[@]}" "${debug_packages[@]}" "${test_packages[@]}" \
            "${demo_packages[@]}" 2>/dev/null |
            sed -n 's/^.i //p'
    )
}

missing_packages() {
    local name
    for name; do
        [ -n "${versions[$name]:-}" ] || printf '%s\n' "$name"
    done
}

install_packages() {
    local root=() lists
    [ "$(id -u)" = 0 ] || root=(sudo DEBIAN_FRONTEND=noninteractive)
    local install=("${root[@]}" apt-get install -y -q --no-install-recommends "$@")
    lists=$(apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' | head -n 1) || lists=
    # Lists that are missing or too old to find the packages: update, once.
    if [ -e "$lists" ] && "${install[@]}"; then
        return 0
    fi
    "${root[@]}" apt-get update -q
    "${install[@]}"
}

# need_packages PACKAGE...: plans to install those that are not there, all in one first step.
need_packages() {
    local name
    for name in $(missing_packages "$@"); do
        [[ " ${to_install[*]} " == *" $name "* ]] || to_install+=("$name")
    done
}

plan_packages() {
    local all=("${to_install[@]}" "${install_beside[@]}") installs=()
    [ "${#all[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        die "packages are missing, and there is neither root nor sudo to install them. Run as root:" \
            "    apt-get update" \
            "    apt-get install --no-install-recommends ${all[*]}" \
            "and then ./build.sh again."
    fi
    [ "${#to_install[@]}" = 0 ] ||
        installs=("install ${#to_install[@]} packages" "install_packages ${to_install[*]}")
    # One installation at a time: the second begins when the first one is done.
    [ "${#install_beside[@]}" = 0 ] || installs+=("&install ${#install_beside[@]} packages for the tests"
        "install_packages ${install_beside[*]}")
    plan=("${installs[@]}" "${plan[@]}")
}

# ---- the distribution's sources, through a private apt set-up ----

# The sources.list files of the archive that holds musl-dev (all of them while that is unknown).
source_files() {
    local site etc_list='' etc_parts=''
    site=$(apt-cache madison musl-dev 2>/dev/null | awk '{print $5; exit}')
    if [ -n "$site" ]; then
        apt-get indextargets --format '$(SITE) $(ORIGIN) $(SOURCESENTRY)' 'Created-By: Packages' |
            awk -v site="$site" '{file[NR] = $NF; sub(/:[0-9]+$/, "", file[NR]); sub(/ [^ ]*$/, "")
                from = $1; sub(/^[^ ]* /, ""); origin[NR] = $0; if (from == site) wanted[$0]}
                END {for (i in file) if (origin[i] in wanted) print file[i]}' | sort -u
        return
    fi
    eval "$(apt-config shell etc_list Dir::Etc::sourcelist/f etc_parts Dir::Etc::sourceparts/d)"
    find "$etc_list" "$etc_parts" -maxdepth 1 \( -name '*.list' -o -name '*.sources' \) 2>/dev/null
}

# private_apt TYPE ARCH FOLDER [RELEASE]: leaves in the array `apt` the options with which apt uses
# FOLDER in place of /etc/apt/sources.list*, /var/lib/apt and /var/cache/apt. The sources are the
# user's, as TYPE (deb, deb-src), without limits to other architectures, and of another RELEASE if
# one is named; the rest of the configuration (proxy, certificates, keyrings) stays the user's.
private_apt() {
    local type=$1 arch=$2 folder=$top/$3 release=${4:-} file
    rm -rf "$folder"
    mkdir -p "$folder"/{sources,lists/partial,cache/archives/partial}
    : >"$folder/status"
    source_files | while read -r file; do
        case $file in
        *.sources)
            sed -e "s/^Types:.*/Types: $type/" -e '/^Architectures:/d' "$file" ;;
        *)
            sed -nE -e 's/arch=[^] ]*//' \
                -e "s/^[[:space:]]*deb(-src)?([[:space:]])/$type\2/p" "$file" ;;
        esac >"$folder/sources/${file##*/}"
    done
    [ -z "$release" ] || sed -i -e '/^#/d' -e "s/\b$(codename)\b/$release/g" "$folder"/sources/*
    apt=(-q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$folder/sources"
        -o "Dir::State::lists=$folder/lists" -o "Dir::State::status=$folder/status"
        -o "Dir::Cache=$folder/cache" -o APT::Sandbox::User="$(id -un)")
    [ -z "$arch" ] || apt+=(-o "APT::Architecture=$arch" -o "APT::Architectures=$arch")
    # One archive of several may have no such index; what counts is whether the package is found.
    apt-get "${apt[@]}" update || true
}

fetch_sources() {
    local name
    private_apt deb-src '' build/deps/apt
    rm -rf build/deps/sources.new
    mkdir -p build/deps/sources.new
    cd build/deps/sources.new
    # apt checks the archive's signature, the index' hash and each file's; dpkg-source unpacks.
    apt-get "${apt[@]}" source --download-only --only-source json-c libcap-ng libseccomp
    for name in json-c libcap-ng libseccomp; do
        dpkg-source --no-check -x "$name"_*.dsc "$name"
    done
    cd "$top"
    rm -rf build/deps/sources build/deps/apt
    mv build/deps/sources.new build/deps/sources
}

fetch_foreign_musl() {
    private_apt deb arm64 build/deps/apt-arm64
    rm -rf "$deps/musl"
    mkdir -p "$deps/musl"
    cd "$deps/musl"
    apt-get "${apt[@]}" download musl-dev
    dpkg-deb -x musl-dev_*.deb .
    cd "$top"
    rm -rf build/deps/apt-arm64
}

# codename: of the release that runs here.
codename() {
    # shellcheck disable=SC1091 # of the system
    (. /etc/os-release && printf '%s\n' "${VERSION_CODENAME:-none}")
}

# fetch_kernel NAME PATTERN [RELEASE]: Debian's kernel for virtual machines, this release's or that
# one's, for tests/vm; taken out of its package, not installed, to build/vm/NAME. Where there is no
# such package, or not one whose version is like PATTERN, there is no such folder.
fetch_kernel() {
    local folder=build/vm/$1 package
    rm -rf "$folder.new"
    private_apt deb amd64 "$folder.apt" "${3:-}"
    package=$(apt-cache "${apt[@]}" depends --important linux-image-cloud-amd64 |
        awk '/Depends:/ {print $2; exit}') || package= # without any list apt-cache fails
    # shellcheck disable=SC2053 # a pattern
    if [[ $package == linux-image-$2-cloud-amd64 ]]; then
        mkdir -p "$folder.new"
        cd "$folder.new"
        apt-get "${apt[@]}" download "$package"
        dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x --wildcards './boot/vmlinuz-*' \
            './lib/modules/*/kernel/drivers/*' './lib/modules/*/kernel/fs/*'
        rm -f -- *.deb
        cd "$top"
        mv "$folder.new" "$folder"
    fi
    rm -rf "$folder.apt"
}

# plan_kernels: this release's, and one that is older than what shimbox supports.
plan_kernels() {
    [ -d build/vm/linux ] || beside "kernel for the test machine" "fetch_kernel linux '*'"
    [ -d build/vm/linux-5.10 ] ||
        beside "an older one, for what it refuses" "fetch_kernel linux-5.10 '5.10.*' bullseye"
}

# ---- toolchain: how to compile and link against musl ----

# on_musl: the system's own libc is musl, the compiler needs no help.
on_musl() {
    [ "$arch" = "$native" ] && [[ $("$cc" -dumpmachine) == *-musl* ]]
}

# Where musl's headers and libraries are, in $musl_include and $musl_lib: Debian, Fedora, Arch,
# musl's own `make install`.
find_musl() {
    local prefix='' pair
    [ "$arch" = "$native" ] || prefix=$deps/musl
    for pair in {/usr/include,/usr/lib}"/$arch-linux-musl" "/usr/$arch-linux-musl/"{include,lib64} \
        "/usr/$arch-linux-musl/"{include,lib} /usr/lib/musl/{include,lib} /usr/local/musl/{include,lib}
    do
        if [ -z "${musl_include:-}" ]; then
            musl_include=$prefix$pair
            continue
        fi
        musl_lib=$prefix$pair
        [ ! -e "$musl_lib/rcrt1.o" ] || [ ! -e "$musl_include/stdio.h" ] || return 0
        musl_include=
    done
    die "no musl found (rcrt1.o and headers); install musl's development files"
}

# link_kernel_headers: they are beside glibc's headers, which must not be seen.
link_kernel_headers() {
    local kernel=/usr/include asm=/usr/include/asm
    [ ! -d "/usr/include/$arch-linux-gnu/asm" ] || asm=/usr/include/$arch-linux-gnu/asm
    if [ "$arch" != "$native" ]; then
        kernel=/usr/aarch64-linux-gnu/include asm=$kernel/asm
    fi
    ln -sfn "$kernel/linux" "$deps/include/linux"
    ln -sfn "$asm" "$deps/include/asm"
    ln -sfn "$kernel/asm-generic" "$deps/include/asm-generic"
}

# Explicit paths rather than musl-gcc, whose specs turn -static-pie into a dynamic executable.
describe_toolchain() {
    local flags=() start=() end=() musl_include='' musl_lib=''
    mkdir -p "$deps/include" "$deps/lib"
    if ! on_musl; then
        find_musl
        link_kernel_headers
        flags=(-nostdinc -isystem "$musl_include" -isystem "$("$cc" -print-file-name=include)")
        start=(-nostdlib -nostartfiles "$musl_lib"/{rcrt1,crti}.o
            "$("$cc" -print-file-name=crtbeginS.o)" "-L$musl_lib")
        end=(-lc "$("$cc" -print-libgcc-file-name)" "$("$cc" -print-file-name=crtendS.o)"
            "$musl_lib/crtn.o")
    fi
    flags+=(-isystem "$deps/include")
    start=(-static-pie "${start[@]}" "-L$deps/lib")
    {
        printf 'TOOLCHAIN_CC = %s\nTOOLCHAIN_CPPFLAGS = %s\n' "$cc" "${flags[*]}"
        printf 'TOOLCHAIN_START = %s\nTOOLCHAIN_END = %s\n' "${start[*]}" "${end[*]}"
    } >"$deps/toolchain.mk"
    write_wrapper >"$deps/cc"
    chmod 755 "$deps/cc"
}

# A compiler for other people's build systems.
write_wrapper() {
    cat <<END
#!/bin/sh
# Compiles and links against musl; written by build.sh.
for argument; do
    case \$argument in
    -c | -S | -E) exec $cc ${flags[*]} "\$@" ;;
    esac
done
exec $cc ${flags[*]} ${start[*]} "\$@" ${end[*]}
END
}

# ---- libraries ----

# No path of this machine in what is built: equal bytes wherever the tree stands.
library_flags=(-Os -fPIE -ffunction-sections -fdata-sections -fstack-protector-strong
    -fno-asynchronous-unwind-tables -DNDEBUG "-ffile-prefix-map=$top=.")

# All that its cmake finds out (in half a minute) holds for musl and for every compiler that is used.
build_json_c() {
    local from=$top/build/deps/sources/json-c work=$deps/json-c LC_ALL=C
    rm -rf "$work"
    mkdir -p "$work" "$deps/include/json-c"
    # Room for 16 members in every object, 640 bytes, would be most of the memory that a config.json
    # takes. A table grows when it is two thirds full, so this is room for 4. Arrays are cut down to
    # what they need when they are complete.
    sed -i 's/^\(#define JSON_OBJECT_DEF_HASH_ENTRIES\) 16$/\1 5/' "$from/json_object.h"
    sed -i 's/^\(#define ARRAY_LIST_DEFAULT_SIZE\) 32$/\1 4/' "$from/arraylist.h"
    # STRERROR_OVERRIDE_IMPL: without the table of errno names that is for its own tests, 2 KiB.
    {
        printf '#define HAVE_%s_H 1\n' ENDIAN FCNTL INTTYPES LIMITS LOCALE STDARG STDINT STDLIB STRING \
            STRINGS SYSLOG SYS_PARAM SYS_RANDOM SYS_STAT SYS_TYPES UNISTD
        printf '#define HAVE_%s 1\n' DECL_INFINITY DECL_ISINF DECL_ISNAN DECL_NAN GETRANDOM OPEN \
            REALLOC SNPRINTF STRCASECMP STRDUP STRERROR STRNCASECMP STRTOLL STRTOULL \
            VASPRINTF VPRINTF VSNPRINTF VSYSLOG
        printf '#define SIZEOF_%s __SIZEOF_%s__\n' INT INT LONG LONG LONG_LONG LONG_LONG \
            SIZE_T SIZE_T SSIZE_T SIZE_T
        printf '#define %s\n' 'SIZEOF_INT64_T 8' 'STDC_HEADERS 1'
    } >"$work/config.h"
    echo '#define JSON_C_HAVE_INTTYPES_H 1' >"$work/json_config.h"
    sed 's/^@JSON_H_\(JSON_[A-Z]*\)@$/#include "\L\1.h"/' "$from/json.h.cmakein" >"$work/json.h"
    cd "$work"
    printf '%s\0' "$from"/*.c | xargs -0 -n 1 -P 2 \
        "$deps/cc" "${library_flags[@]}" -D_GNU_SOURCE -DSTRERROR_OVERRIDE_IMPL=1 -I"$work" -I"$from" -c
    cd "$top"
    rm -f "$deps/lib/libjson-c.a"
    "${cc/%gcc/ar}" rcsD "$deps/lib/libjson-c.a" "$work"/*.o
    cp "$from"/*.h "$work"/json*.h "$deps/include/json-c/"
}

# Two files; its configure looks for what musl and every kernel since 3.x have.
build_libcap_ng() {
    local from=$top/build/deps/sources/libcap-ng/src work=$deps/libcap-ng name
    rm -rf "$work"
    mkdir -p "$work"
    printf '#define HAVE_%s 1\n' SYSCALL_H LINUX_SECUREBITS_H LINUX_MAGIC_H SYS_XATTR_H \
        >"$work/config.h"
    for name in cap-ng lookup_table; do
        "$deps/cc" "${library_flags[@]}" -D_GNU_SOURCE -I"$work" -I"$from" \
            -c "$from/$name.c" -o "$work/$name.o"
    done
    rm -f "$deps/lib/libcap-ng.a"
    "${cc/%gcc/ar}" rcsD "$deps/lib/libcap-ng.a" "$work/cap-ng.o" "$work/lookup_table.o"
    cp "$from/cap-ng.h" "$deps/include/"
}

# Of its table of system calls, only the columns of the architectures that a kernel for this one runs:
# a sixth of the size. The library takes a column as an offset into a row that has all of them.
# Sorted by name, where its own build makes a perfect hash with gperf, which would be twice as large.
write_syscall_table() {
    local csv=$1 first=2 last=4 number=short
    # On arm a few numbers are larger.
    [ "$arch" = x86_64 ] || first=5 last=6 number=int
    printf '#include <string.h>\n#include <seccomp.h>\n#include "syscalls.h"\n'
    LC_ALL=C sort -t , -k 1,1 "$csv" | awk -F , -v first="$first" -v last="$last" -v number="$number" '
        /^#/ {
            for (i = first; i <= last; i++) {
                members = members " " number " " $i ";"
                cases = cases "    case OFFSET_ARCH(" $i "): return rows[row]." $i ";\n"
            }
            next
        }
        NF {
            row = ""
            for (i = first; i <= last; i++)
                row = row ", " ($i == "PNR" ? "__PNR_" $1 : $i)
            rows = rows "    {" at + 0 row "},\n"
            pool = pool "    \"" $1 "\\0\"\n"
            at += length($1) + 1
        }
        END {
            print "static const char pool[] =\n" pool "    ;"
            print "static const struct { unsigned short name;" members " } rows[] = {\n" rows "};"
            print "static int column(unsigned row, int offset)\n{\n    switch (offset) {\n" cases "    }"
            print "    return __NR_SCMP_ERROR;\n}"
        }'
    cat <<'END'
#define ROWS (sizeof(rows) / sizeof(rows[0]))
int syscall_resolve_name(const char *name, int offset)
{
    unsigned low = 0, high = ROWS;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        int order = strcmp(name, pool + rows[middle].name);
        if (order == 0)
            return column(middle, offset);
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return __NR_SCMP_ERROR;
}
const char *syscall_resolve_num(int number, int offset)
{
    for (unsigned i = 0; i < ROWS; i++) {
        if (column(i, offset) == number)
            return pool + rows[i].name;
    }
    return NULL;
}
END
}

# What its configure and make would do, without the architectures of other kernels: their
# definitions are weak, so that the library takes them for unknown. Nor its iterator over the table,
# which is for its tests.
build_libseccomp() {
    local from=$top/build/deps/sources/libseccomp work=$deps/libseccomp name family=(x86 x86_64 x32)
    [ "$arch" = x86_64 ] || family=(arm aarch64)
    rm -rf "$work"
    mkdir -p "$work"
    echo '#define HAVE_LINUX_SECCOMP_H 1' >"$work/configure.h"
    sed -n 's/^[[:space:]]*return &\(arch_def_[a-z0-9_]*\);/\1/p' "$from/src/arch.c" | sort -u |
        grep -v -x -F "$(printf 'arch_def_%s\n' "${family[@]}")" |
        sed 's/.*/#pragma weak &/' >"$work/others.h"
    write_syscall_table "$from/src/syscalls.csv" >"$work/table.c"
    cd "$work"
    for name in api arch db gen_bpf hash helper syscalls system "${family[@]/#/arch-}"; do
        printf '%s\0' "$from/src/$name.c"
    done | xargs -0 -n 1 -P 2 \
        "$deps/cc" "${library_flags[@]}" -include "$work/others.h" -I"$work" -I"$from/include" -c
    "$deps/cc" "${library_flags[@]}" -I"$work" -I"$from/include" -I"$from/src" -c table.c
    cd "$top"
    rm -f "$deps/lib/libseccomp.a"
    "${cc/%gcc/ar}" rcsD "$deps/lib/libseccomp.a" "$work"/*.o
    cp "$from"/include/seccomp*.h "$deps/include/"
}

source_version() {
    sed -n '1s/^[^(]*(\([^)]*\)).*/\1/p' "build/deps/sources/$1/debian/changelog"
}

# check_libraries: without source packages they must be there already.
check_libraries() {
    local program=build/deps/probe.c
    cat >"$program" <<'END'
#include <cap-ng.h>
#include <json-c/json.h>
#include <seccomp.h>
int main(void)
{
    return capng_name_to_capability("kill") + (json_tokener_parse("{}") != NULL) +
           (seccomp_init(SCMP_ACT_ALLOW) != NULL);
}
END
    # As the binary is linked: what it does not use of them need not be there.
    "$deps/cc" -Wl,--gc-sections "$program" -o build/deps/probe -ljson-c -lcap-ng -lseccomp ||
        die "json-c, libcap-ng and libseccomp are not there as static libraries for musl; see what the" \
            "linker said." \
            "Needed: their headers, libjson-c.a, libcap-ng.a and libseccomp.a (a distribution's -dev," \
            "-static packages)."
    rm -f build/deps/probe "$program"
}

# ---- plans ----

# Everything that goes into the libraries, as text: compiler, headers, and how they are built.
library_key() {
    printf '%s\n' "$top" "$cc" "${library_flags[@]}"
    declare -f find_musl describe_toolchain write_wrapper build_json_c build_libcap_ng write_syscall_table \
        build_libseccomp
    local name
    if [ "$packager" = apt ]; then
        for name in "${packages[@]}"; do
            printf '%s %s\n' "$name" "${versions[$name]:-}"
        done
    else
        "$cc" -dumpversion
    fi
}

# plan_libraries ARCH: packages, toolchain and static libraries for it, in build/deps/ARCH.
plan_libraries() {
    local arch=$1 cc=gcc packages=("${build_packages[@]}") deps=$top/build/deps/$1 set
    [ "$arch" = "$native" ] || cc=aarch64-linux-gnu-gcc packages+=("${cross_packages[@]}")
    if [ "$packager" != apt ]; then
        [ "$arch" = "$native" ] || die "--arch $arch needs apt-get and Debian's packages"
        cc=$(find_compiler)
    fi
    set="arch=$arch cc=$cc deps=$deps packages=(${packages[*]})"
    if { [ "$packager" != apt ] || [ -z "$(missing_packages "${packages[@]}")" ]; } &&
        [ "$(cat "$deps/key" 2>/dev/null)" = "$(library_key | sha256sum)" ]; then
        return 0
    fi
    if [ "$packager" != apt ]; then
        later "toolchain and libraries of this system" "$set; describe_toolchain; check_libraries"
    else
        need_packages "${packages[@]}"
        [ -d build/deps/sources/libseccomp ] || [[ ${plan[*]} == *fetch_sources* ]] ||
            later "source packages of json-c, libcap-ng and libseccomp" fetch_sources
        [ "$arch" = "$native" ] || [ -d "$deps/musl" ] ||
            later "musl for $arch" "$set; fetch_foreign_musl"
        later "@libcap-ng@ against musl, $arch" "$set; describe_toolchain; build_libcap_ng"
        later "@libseccomp@ against musl, $arch" "$set; build_libseccomp"
        later "@json-c@ against musl, $arch" "$set; build_json_c"
    fi
    plan[${#plan[@]} - 1]+="; $set; versions=(); know_packages; library_key | sha256sum >$deps/key"
}

# Without apt: $CC, the system's compiler if its libc is musl, or musl-gcc.
find_compiler() {
    local name
    for name in ${CC:+"$CC"} cc gcc; do
        if command -v "$name" >/dev/null && [[ $("$name" -dumpmachine) == *-musl* ]]; then
            echo "$name"
            return
        fi
    done
    # Beside another libc: the explicit paths of describe_toolchain make musl-gcc's specs needless.
    if command -v musl-gcc >/dev/null && command -v gcc >/dev/null; then
        echo gcc
        return
    fi
    die "no apt-get, and no compiler for musl (cc on a musl system, or musl-gcc). Needed: such a" \
        "compiler, make, Linux' headers, and static libraries of json-c, libcap-ng and" \
        "libseccomp for musl."
}

# run_make ARCH TARGET...: variables given to us are in the environment.
run_make() {
    local arch=$1
    shift
    make --no-print-directory "-j${JOBS:-2}" ARCH="$arch" "${variables[@]}" "$@"
}

command_build() {
    plan_libraries "$arch"
    # Nothing to do takes no step, and says nothing but where the binary is.
    if [ "${#plan[@]} ${#to_install[@]}" = "0 0" ] && make -q ARCH="$arch" "${variables[@]}" >/dev/null 2>&1; then
        echo "$output is up to date"
        return
    fi
    later "compile $output" "run_make $arch"
    run_plan
    echo "$output: $(stat -c %s "$output") bytes"
}

command_demo() {
    [ "$packager" != apt ] || need_packages "${demo_packages[@]}"
    command_build
    exec tests/demo.sh "$output"
}

command_test() {
    if [ "$packager" = apt ]; then
        need_packages "${debug_packages[@]}"
        mapfile -t install_beside < <(missing_packages "${test_packages[@]}")
    fi
    plan_libraries "$native"
    [ "$packager" != apt ] || plan_libraries aarch64
    [ "$packager $native" != "apt x86_64" ] || plan_kernels
    later "compile $output" "run_make $native"
    later "compile the debug build and the tests" "run_make $native debug tests"
    [ "$packager" != apt ] || later "compile build/aarch64/shimbox" "run_make aarch64"
    run_plan
    exec python3 tests/run.py "$@"
}

main() {
    local command=build arch=$native variables=() output packager=none rest=()
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help) usage; exit ;;
        --arch) [ $# -gt 1 ] || refuse "--arch needs a name"; arch=$2; shift ;;
        --arch=*) arch=${1#*=} ;;
        demo | test | clean) command=$1; shift; rest=("$@"); break ;;
        [A-Z]*=*) variables+=("$1") ;;
        *) refuse "unknown argument '$1'" ;;
        esac
        shift
    done
    case $arch in
    "$native") output=build/shimbox ;;
    aarch64) output=build/aarch64/shimbox ;;
    *) refuse "unknown architecture '$arch' (only $native and aarch64)" ;;
    esac
    [ "$command" != clean ] || exec rm -rf build
    [[ $top != *[[:space:]]* ]] || die "make cannot work in a folder with a space in its name: $top"
    if command -v apt-get >/dev/null; then
        packager=apt
        know_packages
    fi
    "command_$command" "${rest[@]}"
}

# Not when the tests read the functions.
[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
