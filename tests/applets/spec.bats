#!/usr/bin/env bats
# spec: each option, each error; runc and the schema are in tests/spec.
# SPDX-License-Identifier: Apache-2.0

# The scripts in single quotes find SHIMBOX in their environment; bats sets status.
# shellcheck disable=SC2016,SC2030,SC2031

bats_require_minimum_version 1.5.0

setup() {
    dir=$(mktemp -d)
    cd "$dir" || return 1
}

teardown() {
    cd /
    rm -rf "$dir"
}

# Write the specification with these options to standard output, and ask jq about it.
ask() {
    local question=$1
    shift
    run --separate-stderr "$SHIMBOX" spec -o - "$@"
    echo "status $status: $stderr"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    answer=$(jq -cr "$question" <<<"$output")
    echo "answer: $answer"
}

# Fails with this one line on standard error, status 2, no output, no file.
refused() {
    local want=$1
    shift
    run --separate-stderr "$SHIMBOX" spec "$@"
    echo "status $status: $stderr"
    [ "$status" -eq 2 ]
    [ -z "$output" ]
    [ "$stderr" = "shimbox spec: $want" ]
    [ ! -e config.json ]
}

# The same for a config.json given as text.
refused_config() {
    local want=$1 text=$2
    run --separate-stderr "$SHIMBOX" spec --config - <<<"$text"
    echo "status $status: $stderr"
    [ "$status" -eq 2 ]
    [ -z "$output" ]
    [ "$stderr" = "shimbox spec: <stdin>$want" ]
    [ ! -e config.json ]
}

@test "without options: config.json, mode 600, and never twice" {
    run --separate-stderr "$SHIMBOX" spec
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ -z "$stderr" ]
    [ "$(stat -c %a config.json)" = 600 ]
    [ "$(jq -r .ociVersion config.json)" = 1.1.0 ]
    cp config.json before
    run --separate-stderr "$SHIMBOX" spec --readonly
    [ "$status" -eq 2 ]
    [ -z "$output" ]
    [[ $stderr == "shimbox spec: "*"config.json: File exists"* ]]
    cmp config.json before
    [ "$(ls)" = "$(printf 'before\nconfig.json')" ]
}

@test "the default: what it holds" {
    ask '.process | [.terminal, .user.uid, .user.gid, .args, .env, .cwd, .noNewPrivileges]'
    [ "$answer" = '[false,0,0,["sh"],["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"/",true]' ]
    ask '.process.capabilities | keys, .bounding, (.bounding == .effective), (.bounding == .permitted)'
    [ "$answer" = '["bounding","effective","permitted"]
["CAP_AUDIT_WRITE","CAP_KILL","CAP_NET_BIND_SERVICE"]
true
true' ]
    ask '.process.rlimits'
    [ "$answer" = '[{"type":"RLIMIT_NOFILE","hard":1024,"soft":1024}]' ]
    ask '[.root.path, .root.readonly, .hostname]'
    [ "$answer" = '["rootfs",false,"shimbox"]' ]
    ask '[.mounts[] | .destination + " " + .type]'
    [ "$answer" = '["/proc proc","/dev tmpfs","/dev/pts devpts","/dev/shm tmpfs","/dev/mqueue mqueue","/tmp tmpfs","/sys sysfs","/sys/fs/cgroup cgroup"]' ]
    ask '[.mounts[] | select(.destination == "/tmp" or .destination == "/dev/shm") | .options | index("mode=1777")] | all'
    [ "$answer" = true ]
    ask '.linux | [.resources, [.namespaces[].type]]'
    [ "$answer" = '[{"devices":[{"allow":false,"access":"rwm"}],"pids":{"limit":32768}},["pid","ipc","uts","mount","cgroup","network"]]' ]
    ask '.linux.maskedPaths | [contains(["/proc/acpi","/proc/kcore","/proc/keys","/proc/latency_stats","/proc/timer_list","/proc/timer_stats","/proc/sched_debug","/proc/scsi","/sys/firmware","/sys/fs/selinux","/sys/dev/block"]), length]'
    [ "$answer" = '[true,12]' ]
    ask '.linux.readonlyPaths'
    [ "$answer" = '["/proc/asound","/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]' ]
}

@test "the output is stable, indented, and ends with a newline" {
    "$SHIMBOX" spec -o one
    "$SHIMBOX" spec -o two
    cmp one two
    "$SHIMBOX" spec --config one -o three
    cmp one three
    [ "$(sed -n 2p one)" = '  "ociVersion": "1.1.0",' ]
    [ "$(tail -c 2 one | od -An -c | tr -d ' ')" = '}\n' ]
}

@test "--bundle, --output" {
    mkdir bundle
    run --separate-stderr "$SHIMBOX" spec -b bundle
    [ "$status" -eq 0 ]
    [ -s bundle/config.json ]
    run --separate-stderr "$SHIMBOX" spec --output other.json
    [ "$status" -eq 0 ]
    [ "$(stat -c %a other.json)" = 600 ]
    [ ! -e config.json ]
    run --separate-stderr "$SHIMBOX" spec -o other.json
    [ "$status" -eq 2 ]
    run --separate-stderr "$SHIMBOX" spec -b nowhere
    [ "$status" -eq 2 ]
    [[ $stderr == *"nowhere/config.json: No such file or directory"* ]]
    refused '--bundle and --output FILE exclude each other' -b bundle -o x
}

@test "standard output that is full: status 2" {
    run --separate-stderr sh -c '"$SHIMBOX" spec -o - >/dev/full'
    [ "$status" -eq 2 ]
    [ "$stderr" = 'shimbox spec: cannot write standard output: No space left on device' ]
}

@test "--config keeps what shimbox does not know, and large numbers" {
    cat >in.json <<'END'
{"ociVersion": "1.0.2-dev", "process": {"cwd": "/", "args": ["a"], "newField": [1.50, {"x": null}]},
 "vendor": {"π": "é\u0001/"}, "linux": {"resources": {"memory": {"limit": -1}},
 "seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO",
 "args": [{"index": 0, "value": 18446744073709551615, "op": "SCMP_CMP_EQ"}]}]}}}
END
    ask 'del(.process.cwd)' --config in.json --cwd /new
    [ "$answer" = "$(jq -cr 'del(.process.cwd)' in.json)" ]
    grep -q 18446744073709551615 <<<"$output"
    grep -q 1.50 <<<"$output"
    [ "$(jq -r .process.cwd <<<"$output")" = /new ]
    run --separate-stderr bash -c '"$SHIMBOX" spec --config - -o - <in.json'
    [ "$status" -eq 0 ]
    refused '--config and --rootless exclude each other' --config in.json --rootless
    refused '--config and --nested exclude each other' --config in.json --nested
    refused 'cannot open missing: No such file or directory' --config missing
    refused '--config and --image-config cannot both be standard input' --config - --image-config -
}

@test "--config: bad JSON is named with line and column" {
    refused_config ':1:1: unexpected end of data' ''
    refused_config ':1:6: unexpected character' '{"a":}'
    refused_config $':2:6: duplicate key "b"' $'{"b":1,\n     "b":2}'
    refused_config ':1:26: duplicate key "\u0062"' '{"a":{"b":1},"a2":{"b":1,"\u0062":2}}'
    refused_config ':1:9: unexpected character' '{"a":1} x'
    refused_config ':1:7: \u0000 in a string' '{"a":"\u0000"}'
    refused_config ':1:6: NaN and Infinity are not JSON' '{"a":NaN}'
    refused_config ':1:2: strings have double quotes' "{'a':1}"
    refused_config ':1:65: nested too deeply' "$(printf '[%.0s' {1..70})"
}

@test "--config: wrong values are named with their pointer" {
    local process='"process":{"cwd":"/"'
    refused_config ': expected an object, found an array' '[]'
    refused_config ': /ociVersion: missing' '{}'
    refused_config ': /ociVersion: expected a version 1.x.y, found "2.0.0"' '{"ociVersion":"2.0.0"}'
    refused_config ': /process/cwd: missing' '{"ociVersion":"1.0.0","process":{}}'
    refused_config ': /process/cwd: expected an absolute path, found "tmp"' \
        '{"ociVersion":"1.0.0","process":{"cwd":"tmp"}}'
    refused_config ': /process/user/uid: expected a number from 0 to 4294967294, found a string' \
        '{"ociVersion":"1.0.0",'"$process"',"user":{"uid":"0"}}}'
    refused_config ': /process/user/gid: expected a number from 0 to 4294967294, found 4294967295' \
        '{"ociVersion":"1.0.0",'"$process"',"user":{"gid":4294967295}}}'
    refused_config ': /process/env/1: expected NAME=VALUE, found "=b"' \
        '{"ociVersion":"1.0.0",'"$process"',"env":["A=","=b"]}}'
    refused_config ': /process/args: expected at least one string, found an empty array' \
        '{"ociVersion":"1.0.0",'"$process"',"args":[]}}'
    refused_config ': /process/rlimits/0/type: unknown resource limit "RLIMIT_X"' \
        '{"ociVersion":"1.0.0",'"$process"',"rlimits":[{"type":"RLIMIT_X","soft":1,"hard":1}]}}'
    refused_config ': /linux/namespaces/1/type: pid is listed twice' \
        '{"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"pid"},{"type":"pid"}]}}'
    refused_config ': /hostname: needs a uts namespace in /linux/namespaces' \
        '{"ociVersion":"1.0.0","hostname":"x"}'
    refused_config ': /linux/uidMappings: needs a user namespace in /linux/namespaces' \
        '{"ociVersion":"1.0.0","linux":{"uidMappings":[{"containerID":0,"hostID":1,"size":1}],"gidMappings":[{"containerID":0,"hostID":1,"size":1}]}}'
}

@test "--rootless: a user namespace for the caller, and no limits" {
    ask '[(.linux.namespaces | map(.type) | index("user") != null), .linux.resources, .linux.uidMappings[0], .linux.gidMappings[0]]' --rootless
    [ "$answer" = "[true,null,{\"containerID\":0,\"hostID\":$(id -u),\"size\":1},{\"containerID\":0,\"hostID\":$(id -g),\"size\":1}]" ]
}

@test "--rootless --nested: both" {
    ask '[(.linux.namespaces | map(.type) | index("user") != null), .linux.resources, (.mounts[] | select(.destination == "/proc" or .destination == "/sys") | .type)]' --rootless --nested
    [ "$answer" = '[true,null,"bind","bind"]' ]
}

@test "--nested: /proc and /sys of the outside" {
    ask '[.mounts[] | select(.destination == "/proc" or .destination == "/sys") | [.type, .source, (.options | index("rbind") != null)]]' --nested
    [ "$answer" = '[["bind","/proc",true],["bind","/sys",true]]' ]
}

@test "--rootfs, --readonly, --hostname, --cwd, --annotation" {
    ask '.root' --rootfs /srv/x --readonly
    [ "$answer" = '{"path":"/srv/x","readonly":true}' ]
    ask '.hostname' --hostname box
    [ "$answer" = box ]
    ask '.process.cwd' --cwd /tmp
    [ "$answer" = /tmp ]
    ask '.annotations' --annotation a=b=c --annotation 'd.e/f='
    [ "$answer" = '{"a":"b=c","d.e/f":""}' ]
    refused '--rootfs: the path is empty' --rootfs ''
    refused '--hostname: the name is empty' --hostname ''
    refused 'config.json: /hostname: longer than 64 bytes' --hostname "$(printf 'x%.0s' {1..65})"
    refused '--cwd: expected an absolute path, found "tmp"' --cwd tmp
    refused '--annotation: expected KEY=VALUE, found "a"' --annotation a
    refused '--annotation: expected KEY=VALUE, found "=a"' --annotation =a
}

@test "--cpu and --memory" {
    ask '.linux.resources.cpu' --cpu 500m
    [ "$answer" = '{"shares":512,"quota":50000,"period":100000}' ]
    ask '.linux.resources.cpu' --cpu 1m
    [ "$answer" = '{"shares":2,"quota":1000,"period":100000}' ]
    ask '.linux.resources.cpu' --cpu 300
    [ "$answer" = '{"shares":262144,"quota":30000000,"period":100000}' ]
    ask '.linux.resources.memory' --memory 0.1Gi
    [ "$answer" = '{"limit":107374183}' ]
    ask '.linux.resources | keys' --memory 1
    [ "$answer" = '["devices","memory","pids"]' ]
    refused '--cpu: "1K" has the unknown suffix "K"' --cpu 1K
    refused '--cpu: "" is not a quantity such as 500m, 1.5 or 64Mi' --cpu ''
    refused '--cpu: "0" is not more than 0' --cpu 0
    refused '--memory: "-1" is not more than 0' --memory=-1
    refused '--memory: "8Ei" is too much' --memory 8Ei
    refused '--cpu: "1E" is too much' --cpu 1E
}

@test "--host-network" {
    ask '[(.linux.namespaces | map(.type) | index("network")), .mounts[-1], (.mounts[] | select(.destination == "/sys").type)]' --host-network
    [ "$answer" = '[null,{"destination":"/etc/resolv.conf","type":"bind","source":"/etc/resolv.conf","options":["rbind","ro"]},"sysfs"]' ]
    ask '.mounts[] | select(.destination == "/sys").type' --host-network --map root
    [ "$answer" = bind ]
    echo '{"ociVersion":"1.0.0"}' >in.json
    ask '.mounts | length' --config in.json --host-network
    [ "$answer" = 1 ]
}

@test "--env: the last value counts; --tty" {
    ask '.process.env' --env A=1 -e B= --env A=2 --env PATH=/x
    [ "$answer" = '["PATH=/x","A=2","B="]' ]
    ask '[.process.terminal, .process.env[1]]' --tty
    [ "$answer" = '[true,"TERM=xterm"]' ]
    ask '[.process.env[]]' -t --env TERM=dumb
    [ "$answer" = '["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin","TERM=dumb"]' ]
    refused '--env: expected NAME=VALUE, found "A"' --env A
    refused '--env: expected NAME=VALUE, found "=A"' --env =A
    refused '--env: expected NAME=VALUE, found ""' --env ''
}

@test "--cap-add and --cap-drop" {
    ask '.process.capabilities | .bounding == .effective and .bounding == .permitted, .bounding' --cap-add CHOWN --cap-add cap_kill --cap-drop net_bind_service
    [ "$answer" = 'true
["CAP_AUDIT_WRITE","CAP_KILL","CAP_CHOWN"]' ]
    ask '.process.capabilities.bounding | length, (. | unique | length)' --cap-add ALL
    [ "$answer" = '41
41' ]
    ask '.process.capabilities' --cap-drop all
    [ "$answer" = '{"bounding":[],"effective":[],"permitted":[]}' ]
    ask '.process.capabilities.bounding' --cap-drop ALL --cap-add CAP_CHOWN
    [ "$answer" = '["CAP_CHOWN"]' ]
    ask '.process.capabilities.bounding | [length, index("CAP_KILL")]' --cap-add ALL --cap-drop KILL
    [ "$answer" = '[40,null]' ]
    refused '--cap-add: unknown capability "CAP_X"' --cap-add CAP_X
    refused '--cap-drop: unknown capability ""' --cap-drop ''
    refused '--cap-add and --cap-drop name the same capability' --cap-add KILL --cap-drop CAP_KILL
}

@test "--cap-drop takes from the inheritable and ambient sets of --config too" {
    echo '{"ociVersion":"1.0.0","process":{"cwd":"/","capabilities":{"ambient":["CAP_KILL","CAP_CHOWN"],"inheritable":["CAP_KILL"]}}}' >in.json
    ask '.process.capabilities | [.ambient, .inheritable]' --config in.json --cap-drop KILL
    [ "$answer" = '[["CAP_CHOWN"],[]]' ]
}

@test "id maps" {
    ask '.linux | [.uidMappings, .gidMappings, .namespaces[-1].type]' -u 0:100000:10,10:5:1 -u 11:6:1 -g 0:7:1
    [ "$answer" = '[[{"containerID":0,"hostID":100000,"size":10},{"containerID":10,"hostID":5,"size":1},{"containerID":11,"hostID":6,"size":1}],[{"containerID":0,"hostID":7,"size":1}],"user"]' ]
    ask '.linux.uidMappings' --map current
    [ "$answer" = "[{\"containerID\":$(id -u),\"hostID\":$(id -u),\"size\":1}]" ]
    refused '--uid-map needs --gid-map as well' -u 0:1:1
    refused '--gid-map needs --uid-map as well' -g 0:1:1
    refused '--map and --uid-map or --gid-map exclude each other' -u 0:1:1 --map root
    refused 'unknown map "x": expected auto, root, current or subids' --map x
    refused 'uid map: expected CONTAINER:HOST:SIZE[,...], found "0:1"' -u 0:1 -g 0:1:1
    refused 'uid map: 0:4294967296:1 goes beyond the last id, 4294967294' -u 0:4294967296:1 -g 0:1:1
    refused 'gid map: 0:1:0 has a size of 0' -u 0:1:1 -g 0:1:0
    refused 'uid map: 0:1:2 and 1:5:1 overlap in their container ids' -u 0:1:2,1:5:1 -g 0:1:1
}

# Run spec with these files as /etc/passwd, subuid and subgid.
with_tables() {
    printf '%s' "$1" >subuid
    printf '%s' "$2" >subgid
    shift 2
    run --separate-stderr unshare -m sh -c '
        folder=$PWD
        mount -t tmpfs tmpfs /etc || exit 99
        cp "$folder/subuid" "$folder/subgid" /etc/
        echo root:x:0:0:::/bin/sh >/etc/passwd
        exec "$SHIMBOX" spec "$@"' sh -o - "$@"
    echo "status $status: $stderr"
}

@test "--map auto and subids: subordinate ids, by name and by number" {
    [ "$(id -u)" = 0 ] || skip "id -u says $(id -u): needs root for a mount namespace"
    local tables=$'root:100000:10\nother:7:1\n# 0:9:9\n0:200000:5\n0:100000:10\n'
    with_tables "$tables" $'root:300000:3\n' --map auto
    [ "$status" -eq 0 ]
    [ "$(jq -c '.linux.uidMappings | map([.[]])' <<<"$output")" = '[[0,0,1],[1,100000,10],[11,200000,5]]' ]
    [ "$(jq -c '.linux.gidMappings | map([.[]])' <<<"$output")" = '[[0,0,1],[1,300000,3]]' ]
    with_tables "$tables" $'root:300000:3\n' --map subids
    [ "$(jq -c '.linux.uidMappings | map([.[]])' <<<"$output")" = '[[100000,100000,10],[200000,200000,5]]' ]
    with_tables "$tables" '' --rootless
    [ "$(jq -c '.linux.uidMappings | map([.[]])' <<<"$output")" = '[[0,0,1]]' ]
    with_tables "$tables" '' --map subids
    [ "$status" -eq 2 ]
    [ "$stderr" = 'shimbox spec: /etc/subgid gives the caller (uid 0) no ids' ]
    with_tables $'root:5:x\n' '' --map auto
    [ "$status" -eq 2 ]
    [ "$stderr" = 'shimbox spec: /etc/subuid:1: expected NAME:FIRST:COUNT' ]
    with_tables $'root:100:10\nroot:105:10\n' $'root:1:1\n' --map auto
    [ "$status" -eq 2 ]
    [ "$stderr" = 'shimbox spec: uid map: 1:100:10 and 11:105:10 overlap in their host ids' ]
}

@test "--mount" {
    ask '.mounts[-1]' --mount type=bind,src=/a,dst=/b,ro
    [ "$answer" = '{"destination":"/b","type":"bind","source":"/a","options":["ro","rbind"]}' ]
    ask '.mounts[-1]' --mount type=bind,source=/a,target=/b,bind,readonly
    [ "$answer" = '{"destination":"/b","type":"bind","source":"/a","options":["bind","ro"]}' ]
    ask '.mounts[-1]' --mount type=tmpfs,destination=/b,size=1m,mode=700
    [ "$answer" = '{"destination":"/b","type":"tmpfs","source":"tmpfs","options":["size=1m","mode=700"]}' ]
    ask '.mounts[-2:] | map(.source)' --mount '"src=/a,b",type=bind,"dst=/c""d"' --mount src=/e,rbind,dst=/f
    [ "$answer" = '["/a,b","/e"]' ]
    refused '--mount: "type=bind,dst=/b" is a bind mount without src=' --mount type=bind,dst=/b
    refused '--mount: "type=tmpfs" has no dst=/ABSOLUTE/PATH' --mount type=tmpfs
    refused '--mount: "type=tmpfs,dst=b" has no dst=/ABSOLUTE/PATH' --mount type=tmpfs,dst=b
    refused '--mount: "dst=/b" has no type=' --mount dst=/b
    refused '--mount: "type=a,type=b,dst=/b" gives type twice' --mount type=a,type=b,dst=/b
    refused '--mount: "type=,dst=/b" has an empty type' --mount type=,dst=/b
    refused '--mount: "type=a,,dst=/b" has an empty part' --mount type=a,,dst=/b
    refused '--mount: "" has an empty part' --mount ''
    refused '--mount: ""type=a,dst=/b" has a wrong quote' --mount '"type=a,dst=/b'
}

@test "--image-config" {
    cat >image.json <<'END'
{"architecture": "amd64", "config": {"Entrypoint": ["/e", "1"], "Cmd": ["2"], "Env": ["A=1", "PATH=/p", "A=2"],
 "WorkingDir": "/w", "Hostname": "h", "User": "5:6"}}
END
    ask '.process | [.args, .env, .cwd, .user]' --image-config image.json
    [ "$answer" = '[["/e","1","2"],["PATH=/p","A=2"],"/w",{"uid":5,"gid":6}]' ]
    ask '[.hostname, .process.args, .process.cwd, .process.user.uid]' --image-config image.json --hostname x --cwd /y --user 7 -- arg
    [ "$answer" = '["x",["arg"],"/y",7]' ]
    echo '{"CONFIG": {"cmd": ["c"], "env": null, "WORKINGDIR": ""}}' >image.json
    ask '.process | [.args, .cwd]' --image-config image.json
    [ "$answer" = '[["c"],"/"]' ]
    echo '{"config": {}}' >image.json
    refused 'image.json: the image has neither an entry point nor a command' --image-config image.json
    echo '{"config": {"Cmd": ["c"], "Env": ["=x"]}}' >image.json
    refused 'image.json: /config/Env/0: expected NAME=VALUE, found "=x"' --image-config image.json
    echo '{"config": {"Cmd": ["c"], "WorkingDir": "w"}}' >image.json
    refused 'image.json: /config/WorkingDir: expected an absolute path, found "w"' --image-config image.json
    echo '{"config": {"Cmd": "c"}}' >image.json
    refused 'image.json: /config/Cmd: expected an array, found a string' --image-config image.json
    echo '{"config": {"Cmd": ["c"], "cmd": ["d"]}}' >image.json
    refused 'image.json: /config/cmd: is there twice, in different cases' --image-config image.json
    echo '{"config": {"Cmd": ["c"], "User": "nobody"}}' >image.json
    refused 'image.json: unknown user "nobody": etc/passwd does not exist' --image-config image.json
}

@test "--user with --passwd and --group" {
    printf 'root:x:0:0::/:\nann:x:10:20:Ann:/home:/bin/sh\n' >passwd
    printf 'wheel:x:30:bob,ann\nstaff:x:40:\n' >group
    ask '.process.user' --passwd passwd --group group --user ann
    [ "$answer" = '{"uid":10,"gid":20,"additionalGids":[30]}' ]
    refused 'unknown user "bob": passwd has no such name' --passwd passwd --user bob
    refused 'unknown group "x": group has no such name' --passwd passwd --group group --user ann:x
    refused 'the user "a:b:c" has more than one colon' --user a:b:c
    refused 'the user is empty' --user ''
    refused 'the group is empty' --user 5:
    refused 'the user id 4294967295 is more than 4294967294' --user 4294967295
    refused '--passwd and --group need --user or --image-config' --passwd passwd
    refused 'cannot open nopasswd: No such file or directory' --passwd nopasswd --user ann
}

@test "--user looks into the rootfs and never out of it" {
    mkdir -p b/rootfs/etc
    echo 'in:x:1:2:::' >b/rootfs/etc/real
    echo 'out:x:3:4:::' >real
    ln -s /etc/real b/rootfs/etc/passwd
    run --separate-stderr "$SHIMBOX" spec -b b --user in
    [ "$status" -eq 0 ]
    [ "$(jq -c .process.user b/config.json)" = '{"uid":1,"gid":2}' ]
    rm b/config.json
    ln -sfn "$dir/real" b/rootfs/etc/passwd
    run --separate-stderr "$SHIMBOX" spec -b b --user out
    [ "$status" -eq 2 ]
    [ "$stderr" = 'shimbox spec: unknown user "out": etc/passwd does not exist' ]
    [ ! -e b/config.json ]
}

@test "--user: bad lines are passed over with a warning" {
    printf '+::::::\nann:x:10:20:"Ann:/home:/bin/sh\nbad\n' >passwd
    run --separate-stderr "$SHIMBOX" spec --passwd passwd --user ann
    [ "$status" -eq 0 ]
    [ "$stderr" = 'shimbox spec: warning: passwd: lines passed over that make no sense: 1, the first is line 1' ]
    [ "$(jq -c .process.user config.json)" = '{"uid":10,"gid":20}' ]
}

@test "-- ARG..." {
    ask '.process.args' -- a -b --output '' 'c d'
    [ "$answer" = '["a","-b","--output","","c d"]' ]
    refused 'unexpected "sh": a command stands behind --' sh
    refused 'no command behind --' --
    refused 'config.json: /process/args/0: expected a program, found an empty string' -- ''
}

@test "arguments that are not UTF-8 do not make bad JSON" {
    run --separate-stderr "$SHIMBOX" spec -- $'\xff'
    [ "$status" -eq 2 ]
    [[ $stderr == "shimbox spec: config.json:"*": not UTF-8" ]]
    [ ! -e config.json ]
}

@test "unknown options" {
    run --separate-stderr "$SHIMBOX" spec --nosuch
    [ "$status" -eq 2 ]
    [ -z "$output" ]
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
    [[ $stderr == *--nosuch* ]]
}
