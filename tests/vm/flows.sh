#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# engines: kernel bands
# qsock show: which flow a stream is, and who has its socket.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

ALL=$TMPDIR/all

# shown WHAT: of the only stream, an expression in Python of s.
shown()
{
	qsock show -j >"$ALL"
	python3 -c 'import json, sys
d, = json.load(open(sys.argv[1], encoding="utf-8", errors="strict"))
s, = d["stream"]
print(eval(sys.argv[2]))' "$ALL" "$1"
}

# attached STATEMENT DEV: a program runs it, which gives the socket a; then attached.
attached()
{
	holder -- "$1; print(a.fileno(), os.fstat(a.fileno()).st_ino)"
	read -r FD INODE <<<"$SAID"
	qsock attach --pid "$HOLDER" --fd "$FD" "${2:-eth0}" dwcs >/dev/null
}

# cookie OPTION...: as ss prints that of a socket of HOLDER's.
cookie() { ss -Hnep "$@" | grep "pid=$HOLDER,fd=$FD" | grep -o 'sk:[0-9a-f]*'; }

text() { qsock show | tail -n +7; }

lab_up
qsock init eth0 dwcs rate 8mbit 2>/dev/null

# --- kinds of sockets ----------------------------------------------------------------

attached 'a = sock(to=("192.0.2.2", 5600), local=("0.0.0.0", 40000))'
check_equal "the addresses are the socket's" \
	"udp {'address': '192.0.2.1', 'port': 40000} {'address': '192.0.2.2', 'port': 5600}" \
	"$(shown 's["protocol"], s["local"], s["remote"]' | tr -d '()' | sed "s/'udp', /udp /; s/}, {/} {/")"
check_equal "the cookie is as by ss -e" "$(cookie -u)" "sk:$(shown 's["cookie"]')"
check_equal "the inode is as in /proc" "$INODE" "$(shown 's["inode"]')"
check_equal "the cgroup is that of the process" "$(sed -n 's/^0:://p' "/proc/$HOLDER/cgroup")" "$(shown 's["cgroup"]')"
check_equal "its user is the process" "[{'command': '$(cat "/proc/$HOLDER/comm")', 'pid': $HOLDER, 'fd': $FD}]" \
	"$(shown 's["users"]')"
check_equal "the user is the socket's" 0 "$(shown 's["socket_uid"]')"
check "who attached it is another" test "$(shown 's["pid"]')" != "$HOLDER"
check "the text has the flow" grep -qE "^ +udp 192.0.2.1:40000 -> 192.0.2.2:5600 uid:0 $(cookie -u)( |$)" <(text)
check "and its user" grep -qF "users:((\"$(cat "/proc/$HOLDER/comm")\",pid=$HOLDER,fd=$FD))" <(text)
check "and the cgroup" grep -qF "cgroup:$(shown 's["cgroup"]')" <(text)
check_fails "in 80 columns" grep -qE '.{81}' <(qsock show -s | grep -v cgroup:)
tell 'pid = os.fork() or (os.close(1), os.read(0, 1), os._exit(0))'
check_equal "a child that has the socket is a user too" 2 "$(shown 'len(s["users"])')"
hold_end

attached 'a = sock(local=("0.0.0.0", 40001))'
check_equal "a socket without a peer has none" \
	"{'address': '0.0.0.0', 'port': 40001} None" "$(shown 's["local"], s["remote"]' | tr -d '()' | sed 's/}, N/} N/')"
check "nor in the text" grep -qF "udp 0.0.0.0:40001 -> * uid:0 sk:" <(text)
hold_end

attached 'a = sock(socket.AF_INET6, local=("::1", 40002))'
check "IPv6 is as ss prints it" grep -qF "udp [::1]:40002 -> * uid:0 $(cookie -u)" <(text)
hold_end

attached 'l = sock(type=TCP, local=("192.0.2.1", 40003)); l.listen(); a = sock(type=TCP, to=l.getsockname(), local=("192.0.2.1", 40004)); c = l.accept()'
check "TCP has both ends" grep -qF "tcp 192.0.2.1:40004 -> 192.0.2.1:40003 uid:0 $(cookie -t)" <(text)
hold_end

attached 'a = socket.socket(socket.AF_INET, socket.SOCK_RAW, 200); a.connect(("192.0.2.2", 0))'
if [ -n "$(cookie -w)" ]; then
	check_equal "so has a raw socket" "raw 192.0.2.2" "$(shown 's["protocol"] + " " + s["remote"]["address"]')"
else
	check_equal "where the kernel tells of no raw sockets the flow is not known" "None None None" \
		"$(shown 's["protocol"], s["local"], s["cookie"]' | tr -d '(),')"
	check_equal "but the user is" "$HOLDER" "$(shown 's["users"][0]["pid"]')"
fi
hold_end

# --- names of any bytes ------------------------------------------------------------------

attached 'a = sock(); open("/proc/self/comm", "wb").write(b"\xff\x1b[2J\\\"(\t")'
check_equal "a command of any bytes is JSON" '\ufffd\x1b[2J\\\"(\t' "$(shown 'json.dumps(s["users"][0]["command"])[1:-1].replace("\\u001b", "\\x1b")')"
check_fails "and is no control character in the text" grep -q $'[\x01-\x09\x0b-\x1f\xff]' <(qsock show)
check "but can be read" grep -qF '\377\033[2J' <(text)
hold_end

CGROUP=$'/sys/fs/cgroup/te\xffst\x1b'
mkdir "$CGROUP"
attached "open(b'/sys/fs/cgroup/te\\xffst\\x1b/cgroup.procs', 'wb').write(str(os.getpid()).encode()); a = sock()"
check_equal "a cgroup of any bytes is JSON" "$(echo -e '/te\ufffdst\x1b')" "$(shown 's["cgroup"]')"
check "and can be read" grep -qF 'cgroup:/te\377st\033' <(text)
hold_end
rmdir "$CGROUP"
qsock fini eth0

DEVICE=$'e\xff\x1bx'
ip link set eth1 down && ip link set eth1 name "$DEVICE"
check "a device of any bytes can be initialised" qsock init "$DEVICE" dwcs
check "and is JSON" python3 -c 'import json, sys
d, = json.load(open(sys.argv[1], encoding="utf-8", errors="strict"))
assert d["ifname"] == "e\ufffd\x1bx"' <(qsock show -j)
check "and text" grep -q '^e\\377\\033x: dwcs' <(qsock show)
qsock fini "$DEVICE"

# --- many -----------------------------------------------------------------------------------

MANY=2000
qsock init eth0 dwcs rate 8mbit streams 3000 2>/dev/null
holder -- "import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
a = [sock() for i in range($MANY)]
print()"
check "many are attached at once" qsock attach --pid "$HOLDER" --all eth0 dwcs
check_equal "and each is found" "$MANY" "$(qsock show -j | grep -o "\"pid\":$HOLDER,\"fd\":" | wc -l)"
qsock show -j >"$ALL"
check "with its address and a cookie of its own" python3 -c 'import json, sys
d, = json.load(open(sys.argv[1]))
n = int(sys.argv[2])
assert len({s["local"]["port"] for s in d["stream"]}) == n
assert len({s["cookie"] for s in d["stream"]}) == n' "$ALL" "$MANY"
# They go while it looks: what is gone has no flow, and all is JSON.
(tell 'for s in a: s.close()') &
for _ in 1 2 3 4 5; do
	qsock show -j
done >"$ALL"
check "sockets that close meanwhile do not matter" python3 -c 'import json, sys
assert len([json.loads(line) for line in open(sys.argv[1])]) == 5' "$ALL"
wait $!
hold_end
done_testing
