/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kills a command right before the N-th of its system calls that change
 * something, and its children with it; prints how many it made until then.
 *
 *	kill-at N COMMAND...
 */
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int changes_bpf(__u64 command)
{
	switch (command) {
	case BPF_MAP_CREATE:
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
	case BPF_PROG_LOAD:
	case BPF_OBJ_PIN:
	case BPF_LINK_CREATE:
	case BPF_LINK_DETACH:
		return 1;
	default:
		return 0;
	}
}

static int changes_something(__u64 number, __u64 first_argument)
{
	switch (number) {
	case SYS_bpf:
		return changes_bpf(first_argument);
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_mkdir:
	case SYS_rmdir:
	case SYS_rename:
	case SYS_unlinkat:
	case SYS_flock:
		return 1;
	default:
		return 0;
	}
}

static int start(char **argv)
{
	pid_t pid = fork();

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		execvp(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
	ptrace(PTRACE_SETOPTIONS, pid, 0,
	       PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	return pid;
}

int main(int argc, char **argv)
{
	struct __ptrace_syscall_info info;
	long made = 0, at;
	int status = 0;
	pid_t pid;

	if (argc < 3)
		return 2;
	at = atol(argv[1]);
	pid = start(argv + 2);
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, 0, 0))
			break;
		waitpid(pid, &status, 0);
		if (WIFEXITED(status) || WIFSIGNALED(status))
			break;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
		if (info.op != PTRACE_SYSCALL_INFO_ENTRY ||
		    !changes_something(info.entry.nr, info.entry.args[0]) ||
		    ++made != at)
			continue;
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		break;
	}
	printf("%ld\n", made);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}
