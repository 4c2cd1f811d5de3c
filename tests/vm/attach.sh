#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# engines: kernel bands
# qsock attach and detach: sockets of programs that know nothing of it.
# shellcheck source=tests/vm/support/lab.sh
. "${0%/*}/support/lab.sh"

PEER='to=("192.0.2.2", 5600)'
ONE="a = sock($PEER); print(a.fileno(), a.getsockname()[1])"
TWO="a = sock($PEER); b = sock(); print(a.fileno(), a.getsockname()[1], b.fileno(), b.getsockname()[1])"

attached() { values attached; }
is_attached() { [ "$(attached)" = "$1" ]; }
has_sent() { [ "$(stream_values sent_units)" = "$1" ]; }
ours() { qsock attach --pid "$HOLDER" "$@"; }

lab_up
holder -- "$ONE"
read -r FD PORT <<<"$SAID"
check_refused "where nothing is managed there is no stream" "qsock init" ours eth0 dwcs
check_refused "nor in a process that ends at once" "qsock init" \
	env -u QSOCKETS_ENGINE qsock attach --pid "$HOLDER" - dwcs
qsock init eth0 dwcs rate 8mbit 2>/dev/null

# --- one socket -------------------------------------------------------------------

check_refused "another port is no match" "no IP socket with local port 1" ours --port 1 eth0 dwcs
check_refused "a descriptor that there is none" "has no descriptor 999" ours --fd 999 eth0 dwcs
check_refused "one that is no socket" "not an IPv4 or IPv6 socket" ours --fd 0 eth0 dwcs
check_refused "a device that is not managed" "eth1" ours eth1 dwcs
check_refused "a device that is not there" "nodev0" ours nodev0 dwcs
check_refused "an unknown scheduler" '"fastest"' ours eth0 fastest
check_refused "losses that cannot be" "oln is 3, more than old" ours eth0 dwcs loss 3/2
check_refused "nobody may not take root's socket" "CAP_SYS_PTRACE" \
	as_nobody qsock attach --pid "$HOLDER" eth0 dwcs
check_equal "nothing of that attached anything" 0 "$(attached)"

SAID=$(ours --fd "$FD" eth0 dwcs non-droppable loss 1/10 ipg 1ms)
check "a socket is attached by its descriptor" grep -qF \
	"process $HOLDER fd $FD: udp 192.0.2.1:$PORT -> 192.0.2.2:5600 attached to eth0" <<<"$SAID"
check_equal "and the stream named" "$(stream_values id)" "${SAID##*, stream }"
check_equal "the stream has these attributes" "1 10 1000" "$(stream_values oln old ipg)"
check "and flags" grep -q '"non_droppable"' <(qsock show -j)
tell 'for i in range(3): a.send(b"x")'
check "what the program sends is the stream's, though qsock has ended" patiently has_sent 3
check_refused "it is attached once" "attached already" ours eth0 dwcs
check "unless that is replaced" ours --replace - dwcs oln 2 old 9 fps 25 work-conserving
check_equal "by other attributes" "2 9 39215" "$(stream_values oln old ipg)"
check_equal "of the same stream" 3 "$(stream_values sent_units)"
check "a socket is detached" qsock detach --pid "$HOLDER" --port "$PORT"
check_equal "and the stream is gone" 0 "$(attached)"
check_refused "once" "not attached" qsock detach --pid "$HOLDER" --fd "$FD"
check "a socket is attached by its port" ours --port "$PORT" - dwcs
check_equal "alone" 1 "$(attached)"
hold_end
check "with the program the stream ends" patiently is_attached 0
check_refused "a process that is gone" "no process $HOLDER" ours eth0 dwcs

# --- several ----------------------------------------------------------------------

holder -- "$TWO"
read -r FD PORT OTHER_FD OTHER_PORT <<<"$SAID"
check_refused "of several sockets none is guessed" "has 2 IP sockets" ours eth0 dwcs
check_refused "and all are listed" "fd $FD udp 192.0.2.1:$PORT -> 192.0.2.2:5600, fd $OTHER_FD udp 0.0.0.0:$OTHER_PORT -> *" \
	ours eth0 dwcs
ours -j --all eth0 dwcs loss 1/2 >"$TMPDIR/said"
check "all can be attached, and -j says which" python3 -c 'import json, sys
said = json.load(open(sys.argv[1]))
assert [s["fd"] for s in said] == [int(f) for f in sys.argv[2:4]]
assert said[0]["local"] == {"address": "192.0.2.1", "port": int(sys.argv[4])}
assert said[0]["remote"] == {"address": "192.0.2.2", "port": 5600}
assert said[1]["remote"] is None
assert all(s["attached"] and s["ifname"] == "eth0" and s["scheduler"] == "dwcs" for s in said)' \
	"$TMPDIR/said" "$FD" "$OTHER_FD" "$PORT"
check_equal "both are" 2 "$(attached)"
check "one can be detached" qsock detach --pid "$HOLDER" --fd "$FD"
check_refused "where one is attached already" "fd $OTHER_FD: attached already" ours --all eth0 dwcs
check_equal "the other one is left as it was" 1 "$(attached)"
qsock detach --pid "$HOLDER" --fd "$OTHER_FD" >/dev/null && ours --fd "$FD" eth0 dwcs >/dev/null
check_refused "nor is one detached beside one that is not attached" "fd $OTHER_FD: not attached" \
	qsock detach --pid "$HOLDER" --fd "$FD" --fd "$OTHER_FD"
check_equal "so that one stays" 1 "$(attached)"
check "both may be named" ours --replace --fd "$FD" --port "$OTHER_PORT" eth0 dwcs
check_equal "and are attached then" 2 "$(attached)"
check "all can be detached" qsock detach --pid "$HOLDER" --all
check_equal "so that none is" 0 "$(attached)"
check_refused "then there is none to detach" "no attached socket" qsock detach --pid "$HOLDER" --all
hold_end

holder -- "a = [sock($PEER) for i in range(20)]; print()"
check_refused "of many as many are listed as a line takes, and that there are more" \
	"-> 192.0.2.2:5600, ..." ours eth0 dwcs
hold_end

# --- what else has a descriptor of it -----------------------------------------------

holder -- "a = sock($PEER); b = a.dup(); print()"
check "a socket with two descriptors is one" ours eth0 dwcs
check_equal "and has one stream" 1 "$(attached)"
tell 'a.close()'
check_equal "which stays until both are closed" 1 "$(attached)"
tell 'b.close()'
check "and goes then" patiently is_attached 0
hold_end

# The child waits for its standard input to end, which is the parent's too.
holder -- "a = sock($PEER); print(os.fork() or exec('os.close(1); os.read(0, 1); os._exit(0)'))"
check "a socket that a child has as well is attached" ours eth0 dwcs
check "the child's is the same" grep -q "attached already" <(qsock attach --pid "${SAID##* }" eth0 dwcs 2>&1)
hold_end
check "the stream goes with the last of them" patiently is_attached 0

holder -- 'threading.Thread(target=lambda: (print(threading.get_native_id()), sys.stdin.readline()), daemon=True).start(); import time; time.sleep(3600)'
check_refused "a thread is no process" "is a thread" qsock attach --pid "$SAID" eth0 dwcs
check_refused "a process without such a socket" "no IP socket" ours eth0 dwcs
kill "$HOLDER"
exec 8>&- 9<&-
wait "$HOLDER" 2>/dev/null

# --- kinds of sockets ----------------------------------------------------------------

holder -- 'l = sock(type=TCP, local=("192.0.2.1", 0)); l.listen(); a = sock(type=TCP, to=l.getsockname()); c = l.accept(); u = socket.socketpair(); print(a.fileno(), a.getsockname()[1], l.getsockname()[1])'
read -r FD PORT LISTEN <<<"$SAID"
check_refused "neither a listening socket nor a Unix one is listed" "has 2 IP sockets" ours eth0 dwcs
check "a connection is attached" grep -qF \
	"tcp 192.0.2.1:$PORT -> 192.0.2.1:$LISTEN attached" <(ours --fd "$FD" eth0 dwcs)
hold_end
holder -- 'a = sock(socket.AF_INET6, local=("::1", 0)); print(a.getsockname()[1])'
check "IPv6 is printed as ss does" grep -qF "udp [::1]:$SAID -> * attached" <(ours eth0 dwcs)
hold_end

# --- who may ---------------------------------------------------------------------------

start setpriv --reuid "$NOBODY" --regid "$NOBODY" --clear-groups -- \
	bash -c 'exec 3<>/dev/udp/192.0.2.2/5600 && echo && read -r _'
check_equal "an empty device is none" "$(qsock attach --pid "$HOLDER" "" dwcs 2>&1)" \
	'qsock: attach: invalid device "": empty: see "qsock help attach"'
check "a user may attach what is the user's own" as_nobody qsock attach --pid "$HOLDER" - dwcs
check_equal "and it is attached" 1 "$(attached)"
check "and detach it" as_nobody qsock detach --pid "$HOLDER"
hold_end

holder unshare --net -- 'a = sock(); print()'
check_refused "a socket of another network namespace" "another network namespace" ours eth0 dwcs
hold_end

# --- a socket that is not there yet ------------------------------------------------------

holder -- 'print()'
(sleep 0.3; echo "a = sock($PEER)" >&8) &
check "it is waited for" ours --wait 15 eth0 dwcs
wait $!
check_equal "and attached" 1 "$(attached)"
hold_end
holder -- 'import time; print()'
(sleep 0.3; echo 'a = sock(); time.sleep(0.05); b = sock()' >&8) &
check "and so is the one that the program opens next" ours --wait 15 --all eth0 dwcs
wait $!
check_equal "both are attached" 2 "$(attached)"
hold_end
holder -- 'print()'
check_refused "but not for ever" "no IP socket" ours --wait 1 eth0 dwcs
(sleep 0.3; kill "$HOLDER") &
check_refused "nor for a process that ends" "has ended" ours --wait 15 eth0 dwcs
exec 8>&- 9<&-
wait

# --- words --------------------------------------------------------------------------------

check_refused "a process has to be named" "missing --pid" qsock attach eth0 dwcs
check_refused "with a number" 'invalid pid "x"' qsock attach --pid x eth0 dwcs
check_refused "all are all" "--all goes without" qsock attach --pid 1 --all --fd 3 eth0 dwcs
check_refused "what a loss is" 'invalid loss "2"' qsock attach --pid 1 eth0 dwcs loss 2
check_refused "it is digits" 'invalid loss "+2/9"' qsock attach --pid 1 eth0 dwcs loss +2/9
check_refused "what a time is" 'invalid ipg "1e3ms"' qsock attach --pid 1 eth0 dwcs ipg 1e3ms
check_refused "no pictures a second" 'invalid fps "0"' qsock attach --pid 1 eth0 dwcs fps 0
check_refused "one period" '"fps" is set already' qsock attach --pid 1 eth0 dwcs ipg 1ms fps 25
check_refused "which engine" 'invalid engine "inproc"' qsock attach --pid 1 eth0 dwcs engine inproc
check_refused "no such attribute" 'unexpected argument "speed"' qsock attach --pid 1 eth0 dwcs speed 1
check_refused "options of another command" 'unexpected option "--pid"' qsock show --pid 1
check_refused "a port is 16 bits" 'invalid port "65536"' qsock attach --pid 1 --port 65536 eth0 dwcs
done_testing
